"""Workspaces: what makes one, and its data.yaml."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.workspace.data_file import Data, DataFile, Labelled, Unlabelled, Validation, read_data_file
from otx_seg.workspace.exports import latest_exported, latest_quantized
from otx_seg.workspace.run_folder import Destination, RunFolder, latest_weights, open_run, point_latest
from otx_seg.workspace.workspace import Workspace, find_workspace, hint_to_workspace, workspace_around


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "ws")
    made.path.mkdir()
    made.template.touch()
    made.data.touch()
    return made


def test_a_folder_with_both_files_is_one(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_workspace(workspace.path) == workspace
    monkeypatch.chdir(workspace.path)
    assert find_workspace(None) == Workspace(Path())
    workspace.data.unlink()
    assert find_workspace(None) is None
    with pytest.raises(UsageError, match=r"is not a workspace \(data.yaml missing\); make one with `otx build"):
        find_workspace(workspace.path)
    with pytest.raises(UsageError, match=r"there is no such folder"):
        find_workspace(workspace.path / "nowhere")
    assert hint_to_workspace() == ""
    workspace.outputs.mkdir()
    hint = "; for a workspace this folder lacks data.yaml: `otx build --workspace .` writes it"
    assert hint_to_workspace() == hint


def test_runs_of_a_workspace_are_known_as_such(workspace: Workspace, tmp_path: Path) -> None:
    assert workspace_around(workspace.outputs / "1_train") == workspace.path
    assert workspace_around(tmp_path / "outputs" / "1_train") is None
    run = open_run(Destination(outputs=workspace.outputs), "train")
    assert run.path.parent == workspace.outputs
    assert run.region_masks == workspace.path / "detcon_mask"


@pytest.mark.parametrize("links_allowed", [True, False])
def test_the_training_of_a_whole_job_is_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, links_allowed: bool
) -> None:
    if not links_allowed:

        def refuse(*_: object, **__: object) -> None:
            raise OSError("links are not allowed here")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    job = open_run(Destination(outputs=workspace.outputs), "run")
    training = RunFolder(job.path / "train")
    training.weights.parent.mkdir(parents=True)
    training.weights.write_bytes(b"weights")
    assert latest_weights(workspace.outputs) is None
    point_latest(training, part_of=job.path)
    found = latest_weights(workspace.outputs)
    assert found is not None
    assert found.read_bytes() == b"weights"


def test_the_last_exports_are_found(workspace: Workspace) -> None:
    assert latest_exported(workspace.outputs) is None
    made = {
        "1_export/openvino": 10,
        "2_run/export/openvino": 30,
        "3_export/openvino": 20,
        "4_optimize/ptq/openvino": 40,
        "5_optimize/nncf/openvino": 15,
        "6_quickstart/export/openvino": 99,
    }
    for name, when in made.items():
        xml = workspace.outputs / f"{name}.xml"
        xml.parent.mkdir(parents=True)
        xml.touch()
        xml.with_suffix(".bin").touch()
        os.utime(xml, (when, when))
    (workspace.outputs / "2_run/run.json").touch()
    assert latest_exported(workspace.outputs) == workspace.outputs / "2_run/export/openvino.xml"
    assert latest_quantized(workspace.outputs) == workspace.outputs / "4_optimize/ptq/openvino.xml"
    (workspace.outputs / "2_run/export/openvino.bin").unlink()
    assert latest_exported(workspace.outputs) == workspace.outputs / "3_export/openvino.xml"


def test_data_yaml_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    data = Data(
        data_format="coco",
        train=Labelled(data_roots="a: b", ann_files="c #d.json"),
        val=Validation(ann_files="e.json"),
        unlabeled=Unlabelled(data_roots="/täg", file_list="x"),
    )
    path.write_text(DataFile(data=data).as_yaml(), encoding="utf-8")
    assert read_data_file(path) == data
    assert path.read_text(encoding="utf-8").startswith("# Where the data is.")


@pytest.mark.parametrize(
    "text", ["data:\n", "data: {train: , unlabeled: }", "data: {data-format: , val: {data-roots: , ann-files: }}"]
)
def test_what_is_empty_is_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert read_data_file(tmp_path / "data.yaml") == Data()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {trian: {data-roots: x}}", r"unknown key 'data.trian'; did you mean 'train'\?"),
        ("data: {train: {data_root: x}}", r"unknown key 'data.train.data_root'; did you mean 'data-roots'\?"),
        ("date: {}", r"unknown key 'date'; did you mean 'data'\?"),
        ("data: {train: {data-roots: 7}}", r"data.train.data-roots: 7 is not usable: .*string"),
        ("data: {train: {data-roots: [a, b]}}", r"data.train.data-roots: .*string"),
        ("data: {train: {data-roots: ''}}", r"data.train.data-roots: '' is not usable"),
        ("data: {val: some/folder}", r"data.val: 'some/folder' is not usable"),
        (
            "data: {train: {ann-files: a.json}}",
            r"data.train: .*ann-files describes images: name their folder in data-r",
        ),
        ("data: {test: {ann-files: a.json}, train: {data-roots: x}}", r"data.test: .*ann-files describes images: name"),
        ("data: {val: {ann-files: a.json}}", r"data.val: .*beside it, or in data-roots of train"),
        ("data: {val: {ann-files: ''}}", r"data.val.ann-files: '' is not usable"),
        ("data: {val: {ann-files: [a, b]}}", r"data.val.ann-files: .*string"),
        ("data: {data-format: 3}", r"data.data-format: 3 is not usable"),
        ("data: {train: {data-format: coco}}", r"unknown key 'data.train.data-format'"),
        ("- data", r"data.yaml: data.yaml is a mapping of keys to values, this is list"),
        ("data: [", r"data.yaml: is not valid YAML"),
    ],
)
def test_nonsense_in_data_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_data_file(path)
    assert str(path) in str(caught.value)
