"""Workspaces from the command line: the way through them, and what a hand-edited one leads to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from small_network import small_template

from otx_seg.datasets import DataSpec
from otx_seg.errors import OtxError


@pytest.fixture
def workspace(otx: Any, drawn_data: Path) -> Path:
    """A workspace below the current folder, with the small network of the tests."""
    Path("small.yaml").write_text(small_template().override(PARAMETERS).as_yaml())
    made = otx(
        "build",
        "--train-data-roots",
        drawn_data / "train",
        "--val-data-roots",
        drawn_data / "val",
        "--model",
        "small.yaml",
    )
    assert made.code == 0, made.err
    assert "Next: cd otx-workspace-SEGMENTATION && otx train" in made.out
    return Path("otx-workspace-SEGMENTATION").resolve()


def test_the_verbs_need_no_arguments(
    otx: Any, workspace: Path, drawn_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    checked = otx("check")
    assert checked.code == 0, checked.err
    assert f"train data: {drawn_data / 'train'}, from the workspace {workspace}" in checked.message
    assert checked.out.splitlines()[-1] == "Next: otx train"
    trained = otx("train", "params", "--learning_parameters.num_iters=1")
    assert trained.code == 0, trained.err
    assert f"from the workspace {workspace}" in trained.message
    assert "outputs/latest_trained_model" in otx("eval").message
    for verb in ("predict", "explain", "convert"):
        assert otx(verb).code == 0, verb
    exported = otx("export")
    assert exported.code == 0, exported.err
    for verb, *brief in (("optimize", "params", "--pot_parameters.stat_subset_size=2"), ("demo", "--delay", "-1")):
        outcome = otx(verb, *brief)
        assert outcome.code == 0, f"{verb}: {outcome.err}"
        assert f"from the workspace {workspace}" in outcome.message
    measured: list[Any] = []

    def instead_of_measuring(*given: Any) -> None:
        measured.extend(given)
        raise OtxError("it would take half a minute")

    with monkeypatch.context() as patched:
        patched.setattr("otx_seg.verbs.benchmark.compare", instead_of_measuring)
        assert "it would take half a minute" in otx("benchmark").message
    assert [(path.parent.name.split("_")[-1], path.name) for path in measured[0]] == [
        ("models", "weights.pth"),
        ("export", "openvino.xml"),
        ("ptq", "openvino.xml"),
    ]
    assert measured[5] == DataSpec(test_root=drawn_data / "val")
    deployed = otx("deploy")
    assert deployed.code == 0, deployed.err
    assert "model exported or quantised last: outputs/" in deployed.message
    verbs = sorted(path.name.split("_")[2] for path in (workspace / "outputs").iterdir() if not path.is_symlink())
    assert verbs == ["convert", "deploy", "eval", "explain", "export", "optimize", "predict", "train"]
    # From elsewhere the same, with --workspace.
    monkeypatch.chdir(workspace.parent)
    again = otx("eval", "--workspace", workspace, "--json")
    assert again.code == 0, again.err
    assert "Dice Average" in json.loads(again.out)
    assert sum("eval" in path.name for path in (workspace / "outputs").iterdir()) == 2


def test_the_training_folder_alone_is_enough(otx: Any, drawn_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("small.yaml").write_text(small_template().override(PARAMETERS).as_yaml())
    assert otx("build", "--train-data-roots", drawn_data / "train", "--model", "small.yaml").code == 0
    monkeypatch.chdir("otx-workspace-SEGMENTATION")
    trained = otx("train", "--seed", "7", "params", "--learning_parameters.num_iters=1")
    assert trained.code == 0, trained.err
    evaluated = otx("eval", "--json")
    assert evaluated.code == 0, evaluated.err
    recorded = json.loads(Path("outputs/latest_trained_model/data.json").read_text())
    assert len(recorded["val"]) == 2
    assert "on 2 images" in next(Path("outputs").glob("*_eval/logs/otx.log")).read_text()
    assert "images to evaluate on: those that the last training validated on: outputs/" in evaluated.message
    for verb in ("predict", "explain"):
        outcome = otx(verb)
        assert outcome.code == 0, outcome.err
        assert "all 8 images of" in outcome.message


def test_the_data_of_a_workspace_is_checked_from_elsewhere(otx: Any, workspace: Path, drawn_data: Path) -> None:
    """Folders in folders count once, and unlabelled images are those of the list."""
    images = drawn_data / "train" / "images"
    Path("list.txt").write_text(f"{sorted(images.iterdir())[0].name}\n{sorted(images.iterdir())[1].name}\n")
    parts = {"train": drawn_data, "val": drawn_data / "val", "unlabeled": images}
    lines = [f"  {part}: {{data-roots: {root}" for part, root in parts.items()]
    text = "data:\n" + "},\n".join(lines) + f", file-list: {Path('list.txt').resolve()}}}\n"
    (workspace / "data.yaml").write_text(text.replace("},\n", "}\n"))
    told = otx("check", "--workspace", workspace, "--json")
    assert told.code == 0, told.err
    subsets = json.loads(told.out)["subsets"]
    assert [(subset["name"], subset["use"], subset["images"]) for subset in subsets] == [
        ("train", "training", 8),
        ("val", "validation", 2),
        ("unlabelled", "training", 2),
    ]
    plain = otx("check", "--workspace", workspace)
    assert plain.out.splitlines()[-1] == f"Next: otx train --workspace {workspace}"


def test_a_workspace_is_checked_in_its_format_and_with_its_files(
    otx: Any, workspace: Path, drawn_data: Path, drawn_as_coco: dict[str, Path]
) -> None:
    train, val = drawn_as_coco["train"], drawn_as_coco["val"]
    text = f"train: {{data-roots: {drawn_data}, ann-files: {train}}}, val: {{ann-files: {val}}}"
    (workspace / "data.yaml").write_text(f"data: {{data-format: coco, {text}}}")
    told = otx("check", "--workspace", workspace, "--json")
    assert told.code == 0, told.err
    assert "format of the data: coco, from the workspace" in told.message
    assert f"annotations of the val data: {val}, from the workspace" in told.message
    subsets = [(s["name"], s["use"], s["images"], s["data_format"]) for s in json.loads(told.out)["subsets"]]
    assert subsets == [("train", "training", 8, "COCO"), ("val", "validation", 2, "COCO")]
    # What is given is stronger, and stays in the command to continue with.
    named = otx("check", "--workspace", workspace, "--val-ann-files", train)
    assert named.code == 0, named.err
    assert "8 images are in train and in val" in named.out
    assert named.out.splitlines()[-1] == f"Next: otx train --workspace {workspace} --val-ann-files {train}"


def test_a_workspace_of_images_alone_is_checked_as_such(otx: Any, workspace: Path, drawn_data: Path) -> None:
    images = drawn_data / "train" / "images"
    (workspace / "data.yaml").write_text(f"data: {{train: {{data-roots: {images}}}}}")
    chosen = (workspace / "template.yaml").read_text()
    (workspace / "template.yaml").write_text(chosen.replace("train_type: Incremental", "train_type: Selfsupervised"))
    told = otx("check", "--workspace", workspace)
    assert told.code == 0, told.err
    assert "usable for self-supervised training only" in told.out
    assert told.out.splitlines()[-1] == f"Next: otx train --workspace {workspace}"
    refused = otx("check", "--workspace", workspace, "--data-format", "coco")
    assert (refused.code, "leave out --data-format" in refused.message) == (2, True)


@pytest.mark.parametrize(
    ("file", "text", "verbs", "code", "messages"),
    [
        (
            "data.yaml",
            "data: {trian: }",
            ("train", "check", "eval", "run", "build"),
            2,
            ("data.yaml", "did you mean 'train'"),
        ),
        ("data.yaml", "data: {train: {data-roots: 3}}", ("train", "run"), 2, ("data.train.data-roots: 3",)),
        (
            "data.yaml",
            "data: {train: {data-roots: gone}}",
            ("train", "run"),
            3,
            ("data.train.data-roots", "gone: no such"),
        ),
        ("data.yaml", "data: {val: {data-roots: gone}}", ("eval", "predict", "demo"), 3, ("data.val.data-roots",)),
        (
            "data.yaml",
            "data: {data-format: cocoa, train: {data-roots: .}}",
            ("train", "check", "eval", "run", "build", "predict"),
            2,
            ("data.yaml: data.data-format: cocoa: unknown; did you mean 'coco'?",),
        ),
        (
            "data.yaml",
            "data: {train: {data-roots: .}, val: {ann-files: gone.json}}",
            ("train", "check", "eval", "run", "explain"),
            3,
            ("data.yaml: data.val.ann-files", "gone.json: no such file; correct it there"),
        ),
        (
            "data.yaml",
            "data: {train: {ann-files: a.json}}",
            ("train", "eval", "run", "build"),
            2,
            ("data.yaml: data.train: ", "name their folder in data-roots"),
        ),
        ("data.yaml", "\tdata", ("train", "build"), 2, ("data.yaml: is not valid YAML",)),
        ("data.yaml", "", ("train", "build"), 2, ("data.yaml is a mapping",)),
        ("data.yaml", "data: ", ("train",), 2, ("--train-data-roots is missing", "or write it into")),
        ("data.yaml", "data: ", ("predict",), 2, ("--input is missing",)),
        ("data.yaml", "data: ", ("check",), 2, ("--data-roots is missing", "or write it into")),
        ("data.yaml", "data: {val: {data-roots: gone}}", ("check",), 3, ("data.val.data-roots", "gone: no such")),
        ("template.yaml", "name: x", ("train", "run", "build"), 2, ("template.yaml", "is missing")),
        ("template.yaml", "", ("train", "run"), 2, ("a template is a mapping",)),
    ],
)
def test_a_workspace_edited_into_nonsense(
    otx: Any,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    text: str,
    verbs: tuple[str, ...],
    code: int,
    messages: tuple[str, ...],
) -> None:
    monkeypatch.chdir(workspace)
    Path(file).write_text(text)
    for verb in verbs:
        outcome = otx(verb)
        assert outcome.code == code, f"{verb}: {outcome.err}"
        assert outcome.message.count("Error:") == 1
        for message in messages:
            assert message in outcome.message, verb
    assert sorted(path.name for path in workspace.iterdir()) == ["data.yaml", "template.yaml"]


def test_what_is_no_workspace(otx: Any, tmp_path: Path) -> None:
    verbs = ("train", "check", "eval", "predict", "export", "optimize", "explain", "benchmark", "deploy", "demo", "run")
    for verb in verbs:
        outcome = otx(verb, "--workspace", tmp_path)
        assert outcome.code == 2, verb
        assert "is not a workspace (template.yaml and data.yaml missing); make one with `otx build" in outcome.message
    assert not list(Path.cwd().iterdir())


def test_beside_the_workspace_a_hint_leads_there(otx: Any, workspace: Path) -> None:
    for verb in ("train", "check", "eval", "export", "optimize", "deploy", "benchmark"):
        assert "is a workspace: go there, or add --workspace" in otx(verb).message, verb


def test_rebuilding_tells_what_changed(otx: Any, workspace: Path) -> None:
    outcome = otx("build", "--workspace", workspace, "--backbone", "MobileNetV2")
    assert outcome.code == 0, outcome.err
    assert "Changed: template: Lite-HRNet-s-mod2 -> MobileNetV2-AggregatedFCN; backbone: LiteHRNet" in outcome.out
    assert "decode head AggregatedFCNHead on levels [1, 2, 3] of [32, 96, 320] channels" in outcome.out
    assert f"saved as {workspace / 'template.yaml.bak'}" in outcome.out
    refused = otx("build", "--workspace", workspace, "--task", "detection")
    assert (refused.code, "semantic segmentation only" in refused.message) == (2, True)


def test_an_empty_workspace(otx: Any, tiny_weights: Path) -> None:
    assert otx("build", "--workspace", "w").code == 0
    for verb in ("train", "run", "optimize"):
        weights = ["--load-weights", tiny_weights] if verb == "optimize" else []
        outcome = otx(verb, "--workspace", "w", *weights)
        assert outcome.code == 2, outcome.err
        assert "--train-data-roots is missing: name the folder" in outcome.message
        assert f"or write it into {Path('w', 'data.yaml')}" in outcome.message


def test_data_of_another_format(otx: Any, workspace: Path, drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    words = ["--train-data-roots", drawn_data, "--train-ann-files", drawn_as_coco["train"]]
    words += ["--val-data-roots", drawn_data, "--val-ann-files", drawn_as_coco["val"], "--data-format", "coco"]
    built = otx("build", "--workspace", workspace, *words)
    assert built.code == 0, built.err
    assert f"data.yaml: format coco, train {drawn_data} ({drawn_as_coco['train']}), val {drawn_data}" in built.out
    assert f"Changed: data format: none -> coco; train data: {drawn_data / 'train'} -> {drawn_data};" in built.out
    trained = otx("train", "--workspace", workspace, "params", "--learning_parameters.num_iters=1")
    assert trained.code == 0, trained.err
    assert "training data: 8 images" in trained.message
    assert "validation data: 2 images" in trained.message
    scores = []
    for data in ((), ("--test-data-roots", drawn_data / "val")):  # the same images, as COCO and in folders
        outcome = otx("eval", "--workspace", workspace, "--json", *data)
        assert outcome.code == 0, outcome.err
        scores.append({**json.loads(outcome.out), "avg_time_per_image": None})
    assert scores[0] == scores[1]


def test_find_lists_backbones(otx: Any) -> None:
    listed = otx("find", "--backbone", "mmseg")
    assert listed.code == 0, listed.err
    assert "ResNetV1c\n  known good as: ResNet-18, ResNet-50" in listed.out
    assert "BEiT\n  cannot be used: it takes images of one size only" in listed.out
    own = [item["type"] for item in json.loads(otx("find", "--backbone", "otx", "--json").out)]
    assert {"EfficientNetLite", "LiteHRNet", "RegNetX"} <= set(own)
    assert otx("find", "--backbone", "mmdet").code == 2
    assert otx("find", "--backbone", "otx", "--template", "SegNext-t").code == 2
