"""What Weights & Biases keeps in its offline mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracked_story import CURVES, STEPS, VALIDATED, tell_story_elsewhere

_BLOCK = 1 << 15
_HEADER = 7  # bytes of the file, and of each part of a record


def records(file: Path) -> Iterator[Any]:
    """The records of a ``.wandb`` file, which is a log like LevelDB's: parts with a header in blocks."""
    from wandb.proto import wandb_internal_pb2

    content, at, parts = file.read_bytes(), _HEADER, b""
    while at + _HEADER <= len(content):
        room = _BLOCK - at % _BLOCK
        if room < _HEADER:
            at += room
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts += content[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def test_a_resumed_training_is_one_run(tmp_path: Path) -> None:
    folder, said = tell_story_elsewhere("wandb", "wandb", tmp_path)
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"), key=lambda file: file.stat().st_mtime_ns)
    assert len(files) == 2
    found = [record for file in files for record in records(file)]
    kinds = [record.WhichOneof("record_type") for record in found]
    run_id = json.loads((folder / "run.json").read_text())["run_id"]
    begun = [record.run for record in found if record.HasField("run")]
    assert {(run.run_id, run.project, run.display_name) for run in begun} == {(run_id, "otx-seg", "job/train")}
    assert [record.exit.exit_code for record in found if record.HasField("exit")] == [1, 0]
    settings = {item.key: json.loads(item.value_json) for one in found for item in one.config.update}
    assert settings["seed"] == 42
    points: dict[str, list[tuple[int, Any]]] = {}
    for history in (record.history for record, kind in zip(found, kinds, strict=True) if kind == "history"):
        for item in history.item:
            name = item.key or "/".join(item.nested_key)
            points.setdefault(name, []).append((history.step.num, json.loads(item.value_json)))
    assert points["losses/loss"] == STEPS
    for name, value in CURVES.items():
        assert points[name] == [(at, pytest.approx(value)) for at in VALIDATED]
    kept = {path.name for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
    assert "report.html" in kept
    assert len([name for name in kept if name.startswith("b c.jpg_")]) == 3
    assert [name for name in kept if name.startswith("kept network_")]
    (table,) = folder.rglob("confusion*.table.json")
    assert json.loads(table.read_text())["data"][1] == ["grüne Wiese", 1, 4, 0]
    assert not {"requirements.txt", "wandb-metadata.json", "output.log", "diff.patch"} & kept
    assert f"tracker wandb: there is no API key (wandb login), so it writes to {files[0].parent}; " in said
    assert f"wandb sync {files[1].parent}\n" in said


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_the_users_own_mode_is_kept(tmp_path: Path, mode: str) -> None:
    folder, said = tell_story_elsewhere("wandb", "wandb", tmp_path, WANDB_MODE=mode)
    assert bool(list(folder.rglob("*.wandb"))) == (mode == "offline")
    assert "tracker wandb" not in said


def test_a_server_that_does_not_answer_is_told_of(tmp_path: Path) -> None:
    server = "http://127.0.0.1:9"
    folder, said = tell_story_elsewhere("wandb", "wandb", tmp_path, WANDB_API_KEY="a" * 40, WANDB_BASE_URL=server)
    assert f"tracker wandb: {server} does not answer, so it writes to {folder}" in said
    assert len(list(folder.rglob("*.wandb"))) == 2
