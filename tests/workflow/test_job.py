"""The state of a job, and what its arguments come to."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from otx_seg.datasets import DataSpec
from otx_seg.template import load
from otx_seg.training.checkpoint import is_free
from otx_seg.training.loggers import Logger
from otx_seg.workflow.choice import settle
from otx_seg.workflow.job import JobRequest, first_change, read_state
from otx_seg.workspace.run_folder import JOB_STATE


def test_what_may_change_is_read_from_the_template_too(data: Path, here: Path) -> None:
    template = load("Lite-HRNet-s-mod2").override({"learning_parameters.num_workers": 0})
    Path("mine.yaml").write_text(template.as_yaml())
    asked = JobRequest(DataSpec(data / "train"), template=str(Path("mine.yaml").resolve()))
    parameters = settle(asked, seconds=1.0, shown=lambda: nullcontext(Logger())).free_parameters
    assert parameters["learning_parameters.num_workers"] == 0
    assert all(map(is_free, parameters))


def test_what_is_left_out_is_as_before() -> None:
    files = {"train_annotations": Path("/a.json"), "val_annotations": Path("/b.json")}
    before = JobRequest(DataSpec(Path("/a"), data_format="coco", **files), seed=7)
    assert JobRequest().or_as_before(before) == before
    assert JobRequest(DataSpec(train_annotations=Path("/c.json"))).or_as_before(before).data == replace(
        before.data, train_annotations=Path("/c.json")
    )
    # Files go with their folders, that of validation images without a folder with the training folder.
    moved = JobRequest(DataSpec(Path("/d"))).or_as_before(before)
    assert moved == replace(before, data=DataSpec(Path("/d"), data_format="coco"))
    assert JobRequest(DataSpec(val_root=Path("/d"))).or_as_before(before).data == replace(
        before.data, val_root=Path("/d"), val_annotations=None
    )


def test_a_state_from_before_is_read(tmp_path: Path) -> None:
    asked = {"template": None, "train_root": "/a", "val_root": None, "test_root": None, "data_format": "coco"}
    asked |= {"train_annotations": "/a.json", "val_annotations": None, "test_annotations": None, "seed": 3}
    content = {"version": 1, "asked": {**asked, "parameters": {}, "workspace": ""}, "inputs": {}, "done": {}}
    (tmp_path / JOB_STATE).write_text(json.dumps({**content, "stopped": {}}))
    state = read_state(tmp_path)
    assert state is not None
    data = DataSpec(Path("/a"), data_format="coco", train_annotations=Path("/a.json"))
    assert state.asked == JobRequest(data, seed=3, workspace="")
    state.write()
    assert json.loads(state.file.read_text())["asked"].items() >= content["asked"].items()  # type: ignore[attr-defined]


def test_what_an_earlier_version_did_not_know_is_as_it_is_by_default(data: Path, here: Path) -> None:
    template = load("Lite-HRNet-s-mod2")
    Path("mine.yaml").write_text(template.as_yaml())
    asked = JobRequest(DataSpec(data / "train"), template=str(Path("mine.yaml").resolve()))
    job = settle(asked, seconds=1.0, shown=lambda: nullcontext(Logger()))
    before = json.loads(json.dumps(job.inputs()))
    del before["files"]["label map"], before["template"]["hyper_parameters"]["learning_parameters"]["watch"]
    (here / JOB_STATE).write_text(
        json.dumps({"version": 1, "asked": {"parameters": {}}, "inputs": before, "done": {}, "stopped": {}})
    )
    state = read_state(here)
    assert state is not None
    assert first_change(state.inputs, job.inputs()) == ""
