"""What ClearML keeps in its offline mode, which it does not leave in the process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tracked_story import CURVES, STEPS, VALIDATED, tell_story_elsewhere


@pytest.mark.parametrize("server", ["", "http://127.0.0.1:9"])
def test_each_part_of_a_training_is_a_session(tmp_path: Path, server: str) -> None:
    keys = {"CLEARML_API_ACCESS_KEY": "a", "CLEARML_API_SECRET_KEY": "b", "CLEARML_API_HOST": server}
    folder, said = tell_story_elsewhere("clearml", "clearml", tmp_path, **(keys if server else {}))
    why = f"{server} does not answer" if server else "ClearML is not set up (clearml-init)"
    assert f"tracker clearml: {why}, so it writes to {folder}" in said
    sessions = sorted(folder.glob("offline/*.zip"), key=lambda file: file.stat().st_mtime_ns)
    assert len(sessions) == 2
    points: dict[str, list[tuple[int, float]]] = {}
    for session in sessions:
        for line in (session.with_suffix("") / "metrics.jsonl").read_text().splitlines():
            for one in json.loads(line):
                if one["type"] == "training_stats_scalar":
                    name = f"{one['metric']}/{one['variant']}"
                    points.setdefault(name, []).append((one["iter"], one["value"]))
    # The second session begins where the training resumed.
    assert sorted(points["losses/loss"]) == sorted([*STEPS, (20, 3.0)])
    for name, value in CURVES.items():
        assert sorted(points[name]) == [(at, pytest.approx(value)) for at in sorted([*VALIDATED, 20])]
    task = json.loads((sessions[-1].with_suffix("") / "task.json").read_text())
    assert task["hyperparams"]["Training"]["seed"]["value"] == "42"
    assert [artifact["key"] for artifact in task["execution"]["artifacts"]] == ["report"]
    assert len(list(sessions[-1].with_suffix("").rglob("*.jp*g"))) >= 3
    assert not task.get("script", {}).get("diff")
