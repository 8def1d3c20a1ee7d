"""Training that starts from weights with other labels: which labels it gets, what is kept, what an epoch shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from brief_training import PARAMETERS, CrashAt, same_weights, train_briefly
from conftest import Messages
from small_network import small_file

from otx_seg.datasets.synthetic.draw import NAMES
from otx_seg.errors import UsageError
from otx_seg.training.loggers import Logger, StepReport
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.train import train
from otx_seg.workspace.weights import read_weights

OLD = ("background", "button", "plate", "wedge")
NEW = ("gear", "background", "wedge")
MERGED = (*OLD, "gear")
MERGE = {"learning_parameters.task_adapt": "merge"}


def relabel(drawn: Path, folder: Path, names: tuple[str, ...]) -> Path:
    """A copy of synthetic data with the labels `names` only; everything else is background."""
    shutil.copytree(drawn, folder)
    for path in folder.glob("*/masks/*.png"):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        numbers = [names.index(name if name in names else "background") for name in NAMES]
        cv2.imwrite(str(path), np.array(numbers, np.uint8)[mask])
    meta = json.dumps({"label_map": {str(index): name for index, name in enumerate(names)}})
    for path in folder.rglob("dataset_meta.json"):
        path.write_text(meta)
    return folder


@pytest.fixture(scope="module")
def old(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a network that knows the old labels."""
    folder = tmp_path_factory.mktemp("old")
    train_briefly(relabel(drawn_data, folder / "data", OLD), folder / "run")
    return folder / "run" / "models" / "weights.pth"


@pytest.fixture(scope="module")
def new_data(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return relabel(drawn_data, tmp_path_factory.mktemp("new") / "data", NEW)


@pytest.fixture(scope="module")
def merged(old: Path, new_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "merged"
    train_briefly(new_data, run, load_weights=old, parameters=MERGE)
    return run


def test_merged_labels_are_the_old_ones_then_the_new_ones(merged: Path) -> None:
    weights = read_weights(merged / "models" / "weights.pth")
    assert weights.labels.names == MERGED
    assert weights.labels.background == 0
    assert weights.state_dict["decode_head.conv_seg.weight"].shape[0] == len(MERGED)


def test_replaced_labels_are_those_of_the_data(old: Path, new_data: Path, tmp_path: Path) -> None:
    train_briefly(new_data, tmp_path / "run", load_weights=old)
    assert read_weights(tmp_path / "run" / "models" / "weights.pth").labels.names == NEW


def test_rows_of_labels_the_data_lacks_are_kept(old: Path, new_data: Path, tmp_path: Path) -> None:
    still = {**MERGE, "learning_parameters.num_iters": 1, "learning_parameters.learning_rate": 1e-7}
    train_briefly(new_data, tmp_path / "run", load_weights=old, parameters=still)
    before = read_weights(old).state_dict["decode_head.conv_seg.weight"]
    after = read_weights(tmp_path / "run" / "models" / "weights.pth").state_dict["decode_head.conv_seg.weight"]
    torch.testing.assert_close(after[: len(OLD)], before, atol=1e-5, rtol=0)


def test_a_merged_model_is_scored_on_data_with_some_of_its_labels(merged: Path, new_data: Path, tmp_path: Path) -> None:
    weights = merged / "models" / "weights.pth"
    result = evaluate(new_data / "val", load_weights=weights, output=tmp_path / "run")
    # The same masks, written with the numbers of the model.
    data = tmp_path / "data"
    shutil.copytree(new_data / "val", data)
    for path in (data / "masks").iterdir():
        numbers = np.array([MERGED.index(name) for name in NEW], np.uint8)
        cv2.imwrite(str(path), numbers[cv2.imread(str(path), cv2.IMREAD_UNCHANGED)])
    meta = {"label_map": {str(index): name for index, name in enumerate(MERGED)}}
    (data / "dataset_meta.json").write_text(json.dumps(meta))
    assert result.scores == evaluate(data, load_weights=weights, output=tmp_path / "again").scores
    assert result.scores.per_label["gear"].pixels_true > 0


def test_an_epoch_balances_new_labels_with_old_ones(
    old: Path, new_data: Path, tmp_path: Path, messages: Messages
) -> None:
    data = tmp_path / "data"
    shutil.copytree(new_data, data)
    shown = []
    for path in sorted((data / "train" / "masks").iterdir()):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if len(shown) == 1:
            mask[mask == 0] = 1  # no gear
        shown += [path] if (mask == 0).any() else []
        cv2.imwrite(str(path), mask)
    assert len(shown) == 1

    class Steps(Logger):
        def on_step(self, report: StepReport) -> None:
            self.steps = report.steps

    watcher = Steps()
    parameters = {**PARAMETERS, "learning_parameters.batch_size": 1, "learning_parameters.num_iters": 1}
    train(
        data / "train",
        data / "val",
        load_weights=old,
        output=tmp_path / "run",
        template=small_file(),
        parameters=parameters,
        loggers=[watcher],
    )
    assert "1 of 8 images show new labels (gear)" in messages.text
    assert watcher.steps == 1 + 2  # floor(sqrt(7 / 1)) others for each


@pytest.mark.parametrize("step", [2, 4])
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(
    old: Path, new_data: Path, merged: Path, tmp_path: Path, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(new_data, run, load_weights=old, parameters=MERGE, loggers=[CrashAt(step)])
    train_briefly(new_data, run, resume_from=run)
    assert same_weights(run, merged)


def test_what_an_image_ignores_is_not_learned(drawn_data: Path, tmp_path: Path, messages: Messages) -> None:
    data = tmp_path / "data"
    shutil.copytree(drawn_data, data)
    for path in data.rglob("dataset_meta.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "ignored_labels": {"*": ["button", "plate"]}}))
    train_briefly(data, tmp_path / "run", parameters={"learning_parameters.num_iters": 1})
    assert "button 0 %" in messages.text
    assert "wedge 0 %" not in messages.text
    assert "pixels are ignored" in messages.text


def test_what_cannot_be_merged(old: Path, new_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"task_adapt=merge adds labels to those of a trained model"):
        train_briefly(new_data, tmp_path / "run", parameters=MERGE)
    data = tmp_path / "data"
    shutil.copytree(new_data, data)
    for path in data.rglob("dataset_meta.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "background_label": "0"}))
    with pytest.raises(UsageError, match=r"'background' is the background of the one and 'gear' that of the other"):
        train_briefly(data, tmp_path / "run", load_weights=old, parameters=MERGE)


def test_merged_labels_have_colours_of_their_own(merged: Path) -> None:
    colors = read_weights(merged / "models" / "weights.pth").labels.colors
    assert len(set(colors)) == len(MERGED)


def test_labels_that_no_mask_shows_are_told(old: Path, new_data: Path, tmp_path: Path, messages: Messages) -> None:
    train_briefly(new_data, tmp_path / "run", load_weights=old, parameters=MERGE)
    assert "no training mask has button, plate: where such things are in the images" in messages.text
    assert '{"new/*": ["background"]} as ignored_labels' in messages.text


def test_the_template_is_that_of_the_weights(old: Path, new_data: Path, tmp_path: Path) -> None:
    train(new_data / "train", new_data / "val", load_weights=old, output=tmp_path / "run", parameters=PARAMETERS)
    assert "name: Lite-HRNet-s-mod2" in (tmp_path / "run" / "template.yaml").read_text()


def test_unusable_weights_are_told_before_the_data_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_text("nothing")
    with pytest.raises(UsageError, match=r"weights\.pth: is not a checkpoint"):
        train_briefly(tmp_path, tmp_path / "run", load_weights=tmp_path / "weights.pth")
