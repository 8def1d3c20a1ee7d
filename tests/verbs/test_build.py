"""Workspaces made and changed; what a workspace fills in. Nothing is trained."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import DataSpec, open_folder
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.data import images_to_run_on, to_measure_on
from otx_seg.inputs.last_training import last_training, open_measured
from otx_seg.inputs.resolver import open_resolver
from otx_seg.inputs.training import fill_from
from otx_seg.template import load
from otx_seg.training.recorded_data import RecordedData
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.verbs import optimize
from otx_seg.verbs.build import build
from otx_seg.workspace.data_file import read_data_file
from otx_seg.workspace.run_folder import RunFolder, open_run, point_latest


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
    assert again.changes == ("template: Lite-HRNet-18-mod2 -> SegNext-t", "backbone: LiteHRNet -> MSCAN")
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
    plan = make_plan(fill_from(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.unlabelled_root) == ("Semisupervised", unlabelled)
    assert build(model="SegNext-t", workspace="w").template.hyper_parameters.algo_backend == kind
    build(train_type="incremental", workspace="w")
    plan = make_plan(fill_from(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.unlabelled_root, plan.template.name) == ("Incremental", None, "SegNext-t")
    build(train_type="Selfsupervised", workspace="w")
    plan = make_plan(fill_from(open_resolver("w"), Request()))
    assert (plan.train_type, plan.data.val_root) == ("Selfsupervised", None)
    # Arguments are stronger than the workspace.
    plan = make_plan(
        fill_from(open_resolver("w"), Request(DataSpec(val_root=drawn_data / "val"), train_type="Semisupervised"))
    )
    assert (plan.train_type, plan.data.unlabelled_root) == ("Semisupervised", unlabelled)


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


def test_what_is_tested_on(here: Path, drawn_data: Path) -> None:
    def measured(given: str | None = None) -> Path | None:
        return to_measure_on(open_resolver("w"), DataSpec.given(test_root=given))[0].test_root

    train, val = drawn_data / "train", drawn_data / "val"
    build(train, workspace="w")
    with pytest.raises(UsageError, match=r"--test-data-roots is missing: .*, or write it into w/data.yaml"):
        measured()
    build(drawn_data, workspace="w")  # its subset val
    assert measured() == drawn_data
    build(val_data_roots=val, workspace="w")
    assert measured() == val
    assert images_to_run_on(open_resolver("w"), None, "--input", "images") == val / "images"
    build(test_data_roots=train, workspace="w")
    assert measured() == train
    assert measured("given") == Path("given")


def test_what_the_last_training_validated_on_is_measured_on(here: Path, drawn_data: Path) -> None:
    build(drawn_data / "train", workspace="w")
    names = [sample.name for sample in open_folder(drawn_data / "train")["default"].samples]
    run = RunFolder(Path("w/outputs/1_train"))
    run.weights.parent.mkdir(parents=True)
    run.weights.touch()
    point_latest(run)
    recorded = RecordedData(
        seed=7,
        split="",
        train=(),
        val=tuple(names[1:3]),
        unlabelled=(),
        val_images=(),
        data=DataSpec(drawn_data / "train"),
    )
    recorded.write(run)
    found = to_measure_on(open_resolver("w"), DataSpec())
    assert [sample.name for sample in open_measured(*found).samples] == names[1:3]
    assert images_to_run_on(open_resolver("w"), None, "--input", "images") == drawn_data / "train" / "images"
    last = last_training(open_resolver("w").outputs, DataSpec(drawn_data / "train"))
    assert last is not None
    assert last.seed == optimize._seed(open_resolver("w"), DataSpec(drawn_data / "train")) == 7
    assert optimize._seed(open_resolver("w"), DataSpec(drawn_data / "train", drawn_data / "val")) is None
    replace(recorded, val=("gone.png", *names[:2])).write(run)
    with pytest.raises(DataError, match=r"1 of the 3 images that .* validated on are not there any more"):
        open_measured(*to_measure_on(open_resolver("w"), DataSpec()))
    others: list[dict[str, Any]] = [{"train_root": Path("/elsewhere")}, {"val_root": Path("/val")}]
    elsewhere = [replace(recorded, data=replace(recorded.data, **other)) for other in others]
    described = replace(recorded, data=replace(recorded.data, train_annotations=Path("/a.json")))
    for other in (*elsewhere, described, replace(recorded, val=())):
        other.write(run)
        assert last_training(open_resolver("w").outputs, DataSpec(drawn_data / "train")) is None
        with pytest.raises(UsageError, match=r"--test-data-roots is missing"):
            to_measure_on(open_resolver("w"), DataSpec())


def test_the_template_of_a_workspace_is_called_so(here: Path, drawn_data: Path) -> None:
    build(drawn_data, model="SegNext-t", workspace="w")
    for template, reason in ((None, "that of the workspace; `otx build --model` puts"), ("SegNext-t", "as given")):
        plan = make_plan(fill_from(open_resolver("w"), Request(template=template)))
        assert plan.template_reason.startswith(reason)


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
    with pytest.raises(UsageError, match=r"a folder of data, where nothing is written"):
        build(".")
    with pytest.raises(UsageError, match=r"holds data, nothing is written there"):
        build(workspace=".")
    assert sorted(drawn_data.rglob("*")) == before
