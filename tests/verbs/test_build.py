"""Workspaces made and changed; what a workspace fills in. Nothing is trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.resolver import open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.template import load
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.training.setup.train_type import PARAMETER
from otx_seg.verbs.build import build
from otx_seg.workspace.data_file import read_data_file


@pytest.fixture
def unlabelled(drawn_data: Path) -> Path:
    return drawn_data / "train" / "images"


def test_a_new_workspace(here: Path, drawn_data: Path) -> None:
    made = build(drawn_data / "train", drawn_data / "val", model="segnext-T")
    assert made.new
    assert made.workspace.path == Path("otx-workspace-SEGMENTATION")
    assert sorted(path.name for path in made.workspace.path.iterdir()) == ["data.yaml", "template.yaml"]
    assert load(made.workspace.template) == load("SegNext-t") == made.template
    data = read_data_file(made.workspace.data)
    assert (data.train.data_roots, data.val.data_roots) == (str(drawn_data / "train"), str(drawn_data / "val"))
    assert data.test.data_roots is None


def test_another_model_keeps_the_data_and_a_copy(here: Path, drawn_data: Path) -> None:
    made = build(drawn_data / "train", workspace="w")
    edited = made.workspace.template.read_text().replace("batch_size: 8\n", "batch_size: 4\n", 1)
    made.workspace.template.write_text(edited)
    made.workspace.outputs.mkdir()
    (made.workspace.outputs / "result").write_text("kept")
    data = made.workspace.data.read_text()
    again = build(model="SegNext-t", workspace="w")
    assert not again.new
    assert again.changes == ("template: EfficientNet-Lite0-FPN -> SegNext-t", "backbone: EfficientNetLite -> MSCAN")
    assert [copy.read_text() for copy in again.kept] == [edited]
    assert made.workspace.data.read_text() == data
    assert (made.workspace.outputs / "result").read_text() == "kept"
    third = build(model="Lite-HRNet-s-mod2", workspace="w")
    assert [copy.name for copy in third.kept] == ["template.yaml.bak2"]
    unchanged = build(workspace="w")
    assert (unchanged.changes, unchanged.kept) == ((), ())


def test_an_edited_template_survives_other_changes(here: Path, drawn_data: Path) -> None:
    made = build(drawn_data / "train", workspace="w")
    made.workspace.template.write_text(
        made.workspace.template.read_text().replace("batch_size: auto\n", "batch_size: 4\n", 1)
    )
    again = build(val_data_roots=drawn_data / "val", workspace="w")
    assert again.template.hyper_parameters.learning_parameters.batch_size == 4
    assert again.changes == (f"val data: none -> {drawn_data / 'val'}",)
    # A template that cannot be read is replaced on demand only, and kept too.
    made.workspace.template.write_text("name: 7")
    with pytest.raises(UsageError, match=r"template.yaml"):
        build(workspace="w")
    repaired = build(model="SegNext-t", workspace="w")
    assert [copy.read_text() for copy in repaired.kept] == ["name: 7"]


def test_an_edited_data_file_is_kept_too(here: Path, drawn_data: Path) -> None:
    made = build(drawn_data / "train", workspace="w")
    assert build(val_data_roots=drawn_data / "val", workspace="w").kept == ()  # nobody had edited it
    edited = made.workspace.data.read_text() + "# the old camera: /data/old\n"
    made.workspace.data.write_text(edited)
    again = build(test_data_roots=drawn_data / "val", workspace="w")
    assert [(copy.name, copy.read_text()) for copy in again.kept] == [("data.yaml.bak", edited)]


def test_a_folder_whose_name_begins_with_null(here: Path, drawn_data: Path) -> None:
    shutil.copytree(drawn_data, here / "w" / "null hypothesis")
    made = build("w/null hypothesis/train", workspace="w")
    assert read_data_file(made.workspace.data).train.data_roots == "null hypothesis/train"


def test_a_workspace_may_hold_its_data(here: Path, drawn_data: Path) -> None:
    shutil.copytree(drawn_data / "train", here / "w" / "pictures")
    build("w/pictures", workspace="w")
    assert build(model="SegNext-t", workspace="w").template.name == "SegNext-t"
    shutil.copytree(
        drawn_data / "val", here / "w" / "val"
    )  # now it looks like a data set, but is known for a workspace
    assert build(model="Lite-HRNet-s-mod2", workspace="w").template.name == "Lite-HRNet-s-mod2"


def test_the_train_type_is_kept_and_rules(here: Path, drawn_data: Path, unlabelled: Path) -> None:
    made = build(drawn_data / "train", drawn_data / "val", unlabeled_data_roots=unlabelled, workspace="w")
    kind = made.template.hyper_parameters.algo_backend
    assert kind.train_type == "Semisupervised"
    plan = make_plan(complete_request(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.unlabelled_root) == ("Semisupervised", unlabelled)
    assert build(model="SegNext-t", workspace="w").template.hyper_parameters.algo_backend == kind
    build(train_type="incremental", workspace="w")
    plan = make_plan(complete_request(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.unlabelled_root, plan.template.name) == ("Incremental", None, "SegNext-t")
    build(train_type="Selfsupervised", workspace="w")
    plan = make_plan(complete_request(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.val_root) == ("Selfsupervised", None)
    # Arguments are stronger than the workspace.
    plan = make_plan(
        complete_request(
            open_resolver("w"), Request(DataSpec(val_root=drawn_data / "val"), train_type="Semisupervised")
        )
    )
    assert (plan.train_type, plan.data.unlabelled_root) == ("Semisupervised", unlabelled)


def test_unlabelled_images_may_be_for_suggestions_alone(
    here: Path, drawn_data: Path, unlabelled: Path, messages: Any
) -> None:
    made = build(drawn_data / "train", unlabeled_data_roots=unlabelled, train_type="incremental", workspace="w")
    assert made.template.hyper_parameters.algo_backend.train_type == "Incremental"
    resolver = open_resolver("w")
    assert resolver.root(None, "unlabeled") == unlabelled
    plan = make_plan(complete_request(resolver, Request()))
    assert (plan.train_type, plan.reason, plan.data.unlabelled_root) == ("Incremental", "as in the workspace", None)
    assert "the unlabelled images that data.yaml names are not used in Incremental training" in messages.text
    # A train type that the arguments name is asked for.
    assert make_plan(complete_request(resolver, Request(train_type="Incremental"))).reason == "as asked for"
    named = complete_request(resolver, Request(parameters={PARAMETER: "Incremental"}))
    assert make_plan(named).reason == "as asked for"
    # Another template than that of the workspace has a train type of its own.
    assert make_plan(complete_request(resolver, Request(template="SegNext-t"))).reason == "as in the template"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "DETECTION"}, UsageError, r"--task DETECTION: this toolkit trains semantic segmentation only"),
        ({"model": "SegNet"}, UsageError, r"did you mean 'SegNext-t'"),
        ({"train_type": "Semisupervised"}, UsageError, r"needs images without masks"),
        ({"train_type": "Half"}, UsageError, r"--train-type Half: unknown"),
        ({"train_data_roots": "nowhere"}, DataError, r"nowhere: no such folder"),
        ({"test_data_roots": "nowhere"}, DataError, r"nowhere: no such folder"),
        ({"unlabeled_file_list": "list.txt"}, UsageError, r"give --unlabeled-data-roots too"),
        ({"unlabeled_data_roots": "nowhere"}, DataError, r"nowhere: no such file or folder"),
        ({"backbone": "ResNet"}, UsageError, r"needs depth"),
    ],
)
def test_what_is_refused_leaves_nothing(
    here: Path, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        build(**arguments)
    assert not list(here.iterdir())


def test_no_workspace_in_a_folder_of_data(drawn_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn_data / "train")
    before = sorted(drawn_data.rglob("*"))
    with pytest.raises(UsageError, match=r"a data folder, where nothing is written"):
        build(".")
    with pytest.raises(UsageError, match=r"holds data, nothing is written there"):
        build(workspace=".")
    assert sorted(drawn_data.rglob("*")) == before
