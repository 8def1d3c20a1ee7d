"""Every verb that reads labelled data reads it through a label map, and a run keeps the map it began with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from brief_training import CrashAt, same_weights, train_briefly
from conftest import Messages
from small_network import small_file

from otx_seg.datasets import open_folder
from otx_seg.datasets.label_map import LabelMap, read_label_map
from otx_seg.errors import DataError, UsageError
from otx_seg.training.recorded_data import read_recorded
from otx_seg.verbs.benchmark import benchmark
from otx_seg.verbs.build import build
from otx_seg.verbs.check import check
from otx_seg.verbs.convert import convert
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.explain import explain
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import optimize
from otx_seg.verbs.train import train
from otx_seg.workspace.data_file import read_data_file
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import read_weights

LINES = """\
washer: ring
background: background
button: disc
plate: disc
wedge: ignore
gear: ignore
"""
NEW = ("ring", "background", "disc")
NEW_NUMBERS = np.array([1, 2, 2, 255, 255, 0], np.uint8)
"""Of background, button, plate, wedge, gear and washer."""


@pytest.fixture(scope="module")
def label_map(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("maps") / "shapes.yaml"
    path.write_text(LINES)
    return path


@pytest.fixture(scope="module")
def by_hand(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images with masks that have the new labels in them, two of the old ones ignored."""
    root = tmp_path_factory.mktemp("by hand") / "data"
    shutil.copytree(drawn_data, root)
    for path in root.glob("*/masks/*.png"):
        cv2.imwrite(str(path), NEW_NUMBERS[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)])
    for path in [*root.rglob("dataset_meta.json")]:
        path.write_text(json.dumps({"label_map": {str(index): name for index, name in enumerate(NEW)}}))
    return root


@pytest.fixture(scope="module")
def trained(drawn_data: Path, label_map: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training through the map."""
    run = tmp_path_factory.mktemp("runs") / "mapped"
    train_briefly(drawn_data, run, label_map=label_map)
    return run


def weights(run: Path) -> Path:
    return run / "models" / "weights.pth"


# ---------------------------------------------------------------------- train


def test_a_training_is_that_on_data_with_these_labels(trained: Path, by_hand: Path, tmp_path: Path) -> None:
    """Losses, scores and the choice of the best network: bit for bit, so that ignored pixels count nowhere."""
    train_briefly(by_hand, tmp_path / "run")
    assert same_weights(trained, tmp_path / "run")
    assert read_weights(weights(trained)).labels.names == NEW
    losses = [
        [entry["loss"] for entry in map(json.loads, (run / "logs" / "metrics.jsonl").open()) if "loss" in entry]
        for run in (trained, tmp_path / "run")
    ]
    assert losses[0] == losses[1]
    assert losses[0]


def test_the_run_keeps_the_map(trained: Path, label_map: Path) -> None:
    run = RunFolder(trained)
    found = read_recorded(run).data.label_map
    assert (found, found and found.source) == (read_label_map(label_map), str(label_map))
    assert read_label_map(run.label_map) == found
    assert f"\nlabels (after the label map {label_map}): ring, background" in (trained / "cli_report.log").read_text()


def test_a_run_resumes_with_the_map_that_it_began_with(
    trained: Path, drawn_data: Path, tmp_path: Path, label_map: Path
) -> None:
    changing = tmp_path / "map.yaml"
    changing.write_text(LINES)
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "run", label_map=changing, loggers=[CrashAt(5)])
    # Another file of the same lines is no other map; other lines are.
    changing.write_text(LINES.replace("gear: ignore", "gear: gear"))
    with pytest.raises(UsageError, match=rf"^--label-map {changing}: the run to resume has another one, {changing}; l"):
        train(resume_from=tmp_path / "run", label_map=changing)
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    train(resume_from=tmp_path / "run", label_map=label_map)
    assert same_weights(trained, tmp_path / "run")
    changing.unlink()
    train(resume_from=tmp_path / "again", output=tmp_path / "elsewhere")
    assert same_weights(trained, tmp_path / "elsewhere")
    assert read_label_map(RunFolder(tmp_path / "elsewhere").label_map) == read_label_map(label_map)


def test_a_run_without_a_map_takes_the_place_of_one_with(drawn_data: Path, label_map: Path, tmp_path: Path) -> None:
    train_briefly(drawn_data, tmp_path / "run", label_map=label_map)
    assert RunFolder(tmp_path / "run").label_map.is_file()
    train_briefly(drawn_data, tmp_path / "run", overwrite=True)
    assert not RunFolder(tmp_path / "run").label_map.exists()
    assert read_recorded(RunFolder(tmp_path / "run")).data.label_map is None


def test_unlabelled_images_and_a_search_go_with_it(drawn_data: Path, label_map: Path, tmp_path: Path) -> None:
    images = tmp_path / "unlabelled"
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"{number}.png"), np.full((64, 64, 3), 40 * number, np.uint8))
    train_briefly(drawn_data, tmp_path / "semi", label_map=label_map, unlabeled_data_roots=images)
    assert read_weights(weights(tmp_path / "semi")).labels.names == NEW
    train_briefly(
        drawn_data,
        tmp_path / "search",
        label_map=label_map,
        enable_hpo=True,
        hpo_time_ratio=2.0,
        parameters={"learning_parameters.num_iters": 4, "learning_parameters.batch_size": 2},
    )
    assert read_weights(weights(tmp_path / "search")).labels.names == NEW


def test_a_map_that_does_not_fit_ends_a_training_at_once(drawn_data: Path, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(LINES.replace("plate", "plait"))
    with pytest.raises(DataError, match=r"map.yaml: the label map does not fit .*leaves out .*plate.*names .*plait"):
        train_briefly(drawn_data, tmp_path / "run", label_map=tmp_path / "map.yaml")
    assert not weights(tmp_path / "run").exists()


# ---------------------------------------------------------------------- eval, optimize, benchmark


def test_scores_are_those_of_the_new_labels(trained: Path, drawn_data: Path, by_hand: Path, label_map: Path) -> None:
    root = trained.parent
    mapped = evaluate(drawn_data, label_map=label_map, load_weights=weights(trained), output=root / "eval mapped")
    plain = evaluate(by_hand, load_weights=weights(trained), output=root / "eval by hand")
    assert mapped.scores == plain.scores
    written = json.loads((root / "eval mapped" / "performance.json").read_text())
    assert LabelMap.from_plain(written["label_map"]) == read_label_map(label_map)
    assert mapped.counted is not None
    masks = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (by_hand / "val" / "masks").iterdir()]
    assert int(mapped.counted.pixels.confusion.sum()) == sum(int((mask != 255).sum()) for mask in masks)


def test_data_without_the_map_is_told_which_one_it_was(trained: Path, drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"does not know the label 'button'; it was trained through a label map"
    ) as told:
        evaluate(drawn_data, load_weights=weights(trained), output=tmp_path / "eval")
    named = str(told.value).rpartition("give --label-map ")[2]
    assert named == str(trained / "label_map.yaml")
    evaluate(drawn_data, load_weights=weights(trained), output=tmp_path / "eval", label_map=named)
    with pytest.raises(
        UsageError, match=r"lacks: button, .*train on them first; it was trained through .*give --label-"
    ):
        optimize(weights(trained), drawn_data / "train", drawn_data / "val", output=tmp_path / "qat")


def test_weights_alone_know_of_no_map(trained: Path, drawn_data: Path, tmp_path: Path) -> None:
    shutil.copy(weights(trained), tmp_path / "weights.pth")
    with pytest.raises(UsageError, match=r"the model does not know the label 'button'; .* into these with --label-map"):
        evaluate(drawn_data, load_weights=tmp_path / "weights.pth", output=tmp_path / "eval")


def test_a_model_is_quantised_through_a_map(trained: Path, drawn_data: Path, label_map: Path, tmp_path: Path) -> None:
    model = export(weights(trained), output=tmp_path / "exported").model
    brief = {"pot_parameters.stat_subset_size": 2, "nncf_optimization.maximal_accuracy_degradation": 100}
    roots = (drawn_data / "train", drawn_data / "val")
    result = optimize(model, *roots, label_map=label_map, output=tmp_path / "quantised", parameters=brief)
    expected = evaluate(roots[1], label_map=label_map, load_weights=model, output=tmp_path / "eval").scores
    assert result.before.scores.dice_average == pytest.approx(expected.dice_average, abs=1e-3)


def test_a_model_is_measured_through_a_map(trained: Path, drawn_data: Path, label_map: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"label_map": label_map, "load_weights": weights(trained)}
    measured = benchmark(data_roots=drawn_data, output=tmp_path / "benchmark", threads=1, seconds=0.1, **how)
    expected = evaluate(drawn_data, output=tmp_path / "eval", **how).scores.dice_average
    assert measured.measurements[0].dice == pytest.approx(expected, abs=1e-3)


def test_a_map_without_data_does_nothing(trained: Path, label_map: Path, here: Path) -> None:
    with pytest.raises(UsageError, match=r"^--data-format, --label-map and --test-ann-files say how to read data"):
        benchmark(weights(trained), label_map=label_map, seconds=0.1)


# ---------------------------------------------------------------------- check, convert


def test_a_check_shows_the_new_labels(drawn_data: Path, by_hand: Path, label_map: Path, tmp_path: Path) -> None:
    from otx_seg.report.check_tables import label_map_explained

    result, expected = check(drawn_data, label_map=label_map, html=tmp_path / "a.html"), check(by_hand)
    for found, wanted in zip(result.subsets, expected.subsets, strict=True):
        assert tuple(label.name for label in found.labels) == NEW
        assert [label.pixels for label in found.labels] == [label.pixels for label in wanted.labels]
        assert found.ignored_pixels == wanted.ignored_pixels > 0
    assert result.as_json()["label_map"] == str(label_map)
    assert expected.as_json()["label_map"] is None
    assert label_map_explained(result) in (tmp_path / "a.html").read_text()


def test_a_check_finds_that_a_map_does_not_fit(drawn_data: Path, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(LINES.replace("plate", "plait"))
    result = check(drawn_data, label_map=tmp_path / "map.yaml")
    assert result.usable_for is None
    assert {problem.code for problem in result.problems} == {"cannot_be_opened"}
    assert "did you mean 'plate'?" in result.problems[0].what
    assert result.problems[0].advice.startswith("write one line for each label")


def test_what_is_converted_has_the_new_labels(drawn_data: Path, by_hand: Path, label_map: Path, tmp_path: Path) -> None:
    result = convert(drawn_data, tmp_path / "out", label_map=label_map)
    assert result.labels.names == NEW
    for subset, expected in zip(open_folder(tmp_path / "out").values(), open_folder(by_hand).values(), strict=True):
        assert (subset.labels.names, subset.labels.background) == (NEW, 1)
        for new, sample in zip(subset.samples, expected.samples, strict=True):
            written = cv2.imread(new.mask, cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(written, cv2.imread(sample.mask, cv2.IMREAD_UNCHANGED))


def test_a_conversion_goes_on_with_its_map_alone(drawn_data: Path, label_map: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Exception, match="interrupted"):
        convert(drawn_data, tmp_path / "out", label_map=label_map, progress=interrupt)
    with pytest.raises(UsageError, match=r"was read in another way"):
        convert(drawn_data, tmp_path / "out")
    convert(drawn_data, tmp_path / "out", label_map=label_map)


# ---------------------------------------------------------------------- workspaces


def test_a_workspace_names_it_for_every_command(
    drawn_data: Path, label_map: Path, here: Path, messages: Messages
) -> None:
    made = build(drawn_data / "train", drawn_data / "val", label_map=label_map, workspace="w", model=str(small_file()))
    assert read_data_file(made.workspace.data).label_map == str(label_map)
    assert made.data.summary.startswith(f"label map {label_map}, train ")
    assert tuple(label.name for label in check(workspace="w").subsets[0].labels) == NEW
    assert f"label map: {label_map}, from the workspace" in messages.text
    assert convert(workspace="w").labels.names == NEW
    brief: dict[str, Any] = {"learning_parameters.num_iters": 1, "learning_parameters.num_workers": 0}
    run = train(workspace="w", parameters={**brief, "learning_parameters.pretrained": "none"}).weights
    assert read_weights(run).labels.names == NEW
    assert set(evaluate(workspace="w").scores.per_label) <= set(NEW)
    explain(workspace="w", output="explained")
    # Other data is not read through it, but as it is given.
    with pytest.raises(UsageError, match=r"it was trained through a label map: give --label-map"):
        evaluate(drawn_data, workspace="w")


def test_a_map_that_comes_with_the_program_is_called_by_its_name(drawn_data: Path, here: Path, label_map: Path) -> None:
    made = build(drawn_data, label_map=label_map, workspace="w")
    with pytest.raises(DataError, match=r"^coco-voc21: the label map does not fit the labels of .*button"):
        build(label_map="coco-voc21", workspace="w")
    assert made.data.label_map == str(label_map)
    own = made.workspace.path / "own.yaml"
    own.write_text(LINES)
    again = build(label_map=own, workspace="w")
    assert (again.data.label_map, again.changes) == ("own.yaml", (f"label map: {label_map} -> own.yaml",))


def test_a_map_goes_with_the_last_folder_that_it_was_for(drawn_data: Path, label_map: Path, here: Path) -> None:
    build(drawn_data / "train", drawn_data / "val", label_map=label_map, workspace="w")
    assert build(val_data_roots=drawn_data, workspace="w").data.label_map == str(label_map)
    moved = build(drawn_data, drawn_data / "val", workspace="w")
    assert moved.data.label_map is None
    assert f"label map: {label_map} -> none" in moved.changes


def test_a_map_that_is_gone(drawn_data: Path, here: Path) -> None:
    Path("map.yaml").write_text(LINES)
    made = build(drawn_data, label_map="map.yaml", workspace="w")
    Path("map.yaml").unlink()
    with pytest.raises(UsageError, match=r"^w/data.yaml: data.label-map: .*map.yaml: no such file, and no label map"):
        check(workspace=made.workspace.path)
    content = yaml.safe_load(made.workspace.data.read_text())
    content["data"]["label-map"] = 5
    made.workspace.data.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"data.yaml: data.label-map"):
        check(workspace=made.workspace.path)


def test_a_map_is_refused_where_there_are_no_masks(drawn_data: Path, label_map: Path, here: Path) -> None:
    images = drawn_data / "train" / "images"
    with pytest.raises(UsageError, match=r"^--label-map: Selfsupervised training uses only images; leave it out"):
        build(images, label_map=label_map, workspace="w")
    assert not Path("w").exists()
    with pytest.raises(UsageError, match=r"^--label-map changes labels, and .*images has images without masks only"):
        check(images, label_map=label_map)
    assert check([drawn_data, images], label_map=label_map).usable_for == "training"
