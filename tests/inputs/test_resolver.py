"""What a workspace and its runs fill in: folders, templates, models."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.resolver import open_resolver
from otx_seg.verbs.build import build
from otx_seg.workspace.run_folder import RunFolder, open_run, point_latest


def test_paths_are_relative_to_the_workspace(here: Path, drawn_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = build(workspace="w")
    (here / "w" / "linked").symlink_to(drawn_data / "train")
    made.workspace.data.write_text("data: {train: {data-roots: linked}, val: {data-roots: ../missing}}")
    resolver = open_resolver("w")
    assert Path(resolver.train_root(None)).resolve() == (drawn_data / "train").resolve()
    assert resolver.train_root("other") == Path("other")
    with pytest.raises(DataError, match=r"data.yaml: data.val.data-roots: .*missing: no such file or folder; correct"):
        resolver.root(None, "val")
    monkeypatch.chdir("w")
    assert Path(open_resolver(None).train_root(None)).resolve() == (drawn_data / "train").resolve()


def test_the_last_models_are_found(here: Path, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "otx_seg")
    build(workspace="w")
    resolver = open_resolver("w")
    with pytest.raises(
        UsageError, match=r"--load-weights is missing, and nothing was trained .* run `otx train` first"
    ):
        resolver.weights(None)
    with pytest.raises(UsageError, match=r"no model was exported .*: run `otx export` first"):
        resolver.exported(None, quantized_too=True)
    run = open_run(resolver.destination(None, False), "train")
    exported = resolver.outputs / "9_export" / "openvino.xml"
    for file, when in ((run.weights, 100), (exported, 200), (exported.with_suffix(".bin"), 200)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (when, when))
    point_latest(RunFolder(run.path))
    assert resolver.weights(None).samefile(run.weights)
    assert resolver.exported(None, quantized_too=False) == exported
    assert [path.name for path in resolver.every_model(())] == ["weights.pth", "openvino.xml"]
    assert f"model exported last: {exported}" in messages.text
    assert "before the last training" not in messages.text
    os.utime(run.weights, (300, 300))
    resolver.exported(None, quantized_too=True)
    assert "was exported before the last training" in messages.text


def test_beside_a_workspace_a_hint_leads_to_it(here: Path, drawn_data: Path) -> None:
    build(drawn_data / "train")
    with pytest.raises(UsageError, match=r"otx-workspace-SEGMENTATION is a workspace: go there, or add --workspace"):
        open_resolver(None).train_root(None)
