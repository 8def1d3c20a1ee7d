"""What Comet keeps in its offline mode."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tracked_story import CURVES, STEPS, VALIDATED, tell_story_elsewhere


def test_a_resumed_training_is_one_experiment(tmp_path: Path) -> None:
    folder, said = tell_story_elsewhere("comet", "comet_ml", tmp_path)
    key = json.loads((folder / "run.json").read_text())["run_id"]
    archives = sorted(folder.glob(f"{key}*.zip"), key=lambda file: file.stat().st_mtime_ns)
    assert len(archives) == 2
    told, experiments = [], []
    for archive in archives:
        with zipfile.ZipFile(archive) as content:
            experiments.append(json.loads(content.read("experiment.json")))
            told += [json.loads(line) for line in content.read("messages.json").decode().splitlines()]
    assert [one["resume_strategy"] for one in experiments] == ["create", "get"]
    points: dict[str, list[tuple[int, float]]] = {}
    for message in (one["payload"] for one in told if one["type"] == "metric_msg"):
        metric = message["metric"]
        points.setdefault(metric["metricName"], []).append((metric["step"], metric["metricValue"]))
    assert points["losses/loss"] == STEPS
    for name, value in CURVES.items():
        assert points[name] == [(at, pytest.approx(value)) for at in VALIDATED]
    parameters = {one["payload"]["param"]["paramName"] for one in told if one["type"] == "parameter_msg"}
    assert "seed" in parameters
    sent = [one["payload"].get("additional_params", {}) for one in told]
    files = {one.get("figName") or one.get("fileName") for one in sent}
    assert {
        "image, truth, prediction/a/b c.jpg",
        "confusion matrix/kept network",
        "confusion.csv",
        "report.html",
    } <= files
    assert f"tracker comet: there is no API key (comet login), so it writes to {folder}; " in said
    assert said.count(str(folder)) == 4  # twice in each line


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    server = "http://127.0.0.1:9/clientlib/"
    folder, said = tell_story_elsewhere(
        "comet", "comet_ml", tmp_path, COMET_API_KEY="a" * 25, COMET_URL_OVERRIDE=server
    )
    assert f"tracker comet: {server} does not answer, so it writes to {folder}" in said
    assert len(list(folder.glob("*.zip"))) == 2
