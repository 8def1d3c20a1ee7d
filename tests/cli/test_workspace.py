"""Workspaces from the command line: the way through them, and what a hand-edited one leads to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from small_network import small_template


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


def test_the_verbs_need_no_arguments(otx: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    trained = otx("train", "params", "--learning_parameters.num_iters=1")
    assert trained.code == 0, trained.err
    assert f"from the workspace {workspace}" in trained.message
    assert "outputs/latest_trained_model" in otx("eval").message
    for verb in ("predict", "explain"):
        assert otx(verb).code == 0, verb
    exported = otx("export")
    assert exported.code == 0, exported.err
    deployed = otx("deploy")
    assert deployed.code == 0, deployed.err
    assert "model exported or quantised last: outputs/" in deployed.message
    verbs = sorted(path.name.split("_")[2] for path in (workspace / "outputs").iterdir() if not path.is_symlink())
    assert verbs == ["deploy", "eval", "explain", "export", "predict", "train"]
    # From elsewhere the same, with --workspace.
    monkeypatch.chdir(workspace.parent)
    again = otx("eval", "--workspace", workspace, "--json")
    assert again.code == 0, again.err
    assert "Dice Average" in json.loads(again.out)
    assert sum("eval" in path.name for path in (workspace / "outputs").iterdir()) == 2


@pytest.mark.parametrize(
    ("file", "text", "verbs", "code", "messages"),
    [
        ("data.yaml", "data: {trian: }", ("train", "eval", "run", "build"), 2, ("data.yaml", "did you mean 'train'")),
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
            ("train", "eval", "run", "build", "predict"),
            2,
            ("data.yaml: data.data-format: cocoa: unknown; did you mean 'coco'?",),
        ),
        (
            "data.yaml",
            "data: {train: {data-roots: .}, val: {ann-files: gone.json}}",
            ("train", "eval", "run", "explain"),
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
    for verb in ("train", "eval", "predict", "export", "optimize", "explain", "benchmark", "deploy", "demo", "run"):
        outcome = otx(verb, "--workspace", tmp_path)
        assert outcome.code == 2, verb
        assert "is no workspace (template.yaml and data.yaml missing); make one with `otx build" in outcome.message
    assert not list(Path.cwd().iterdir())


def test_beside_the_workspace_a_hint_leads_there(otx: Any, workspace: Path) -> None:
    for verb in ("train", "eval", "export", "optimize", "deploy", "benchmark"):
        assert "is a workspace: go there, or add --workspace" in otx(verb).message, verb


def test_rebuilding_tells_what_changed(otx: Any, workspace: Path) -> None:
    outcome = otx("build", "--workspace", workspace, "--backbone", "MobileNetV2")
    assert outcome.code == 0, outcome.err
    assert "Changed: template: Lite-HRNet-s-mod2 -> MobileNetV2-AggregatedFCN; backbone: LiteHRNet" in outcome.out
    assert "decode head AggregatedFCNHead on levels [1, 2, 3] of [32, 96, 320] channels" in outcome.out
    assert f"kept: {workspace / 'template.yaml.bak'}" in outcome.out
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
    assert [item["type"] for item in json.loads(otx("find", "--backbone", "otx", "--json").out)] == ["LiteHRNet"]
    assert otx("find", "--backbone", "mmdet").code == 2
    assert otx("find", "--backbone", "otx", "--template", "SegNext-t").code == 2
