"""Predictions that nobody has corrected, added to a workspace or trained on."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.cli.main import main
from otx_seg.datasets import DEFAULT_SEED, DataSpec, open_training
from otx_seg.datasets.scan import scan
from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset
from otx_seg.errors import DataError, UsageError
from otx_seg.inference.pre_annotations import PreAnnotations
from otx_seg.inference.predict_settings import PredictSettings
from otx_seg.inputs.data import training_spec
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import Labels, default_colors
from otx_seg.training.setup.data import _tell_problems
from otx_seg.verbs.add_data import add_data
from otx_seg.verbs.build import build


def predicted(images: list[Path], format_name: str = "labelme") -> Path:
    """Annotations as a network writes them."""
    labels = Labels(NAMES, default_colors(len(NAMES)), 0)
    annotations = PreAnnotations(Path("drafts"), labels, PredictSettings(save_as=(format_name,)))
    for image in images:
        mask = np.zeros(cv2.imread(str(image)).shape[:2], np.uint8)
        mask[10:30, 10:40] = 1
        annotations.add(image, PurePath(image.stem), mask, None)
    annotations.close()
    return Path("drafts") / format_name


@pytest.fixture
def images(data: Path) -> list[Path]:
    """Those that the workspace trains on, and then new ones."""
    build(data / "train", data / "val", workspace="w")
    draw_dataset(Path("more"), images=5, size=64, seed=11)
    return [*sorted((data / "train" / "images").iterdir()), *sorted(Path("more/train/images").iterdir())]


def test_they_replace_no_mask(
    here: Path, images: list[Path], messages: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = predicted(images)
    before = open_training(training_spec(open_resolver("w"), DataSpec()), DEFAULT_SEED).train
    added = add_data(folder, workspace="w")
    assert added.replaced == ()
    assert [twin.same_mask for twin in added.left_out] == [False] * 4
    assert added.new == 4
    assert f"{folder}: 8 of 8 images have a mask that is a prediction" in messages.text
    assert "correct the predictions in the labelling tool" in messages.text
    now = open_training(training_spec(open_resolver("w"), DataSpec()), DEFAULT_SEED).train
    assert {sample.name for sample in before.samples} < {sample.name for sample in now.samples}
    assert len(now) == 8


def test_a_corrected_one_replaces_the_mask(here: Path, images: list[Path]) -> None:
    folder = predicted(images)
    file = folder / f"{images[0].stem}.json"
    file.write_text(file.read_text().replace("10", "12"))
    added = add_data(folder, workspace="w")
    assert [Path(twin.path).stem for twin in added.replaced] == [images[0].stem]
    assert len(added.left_out) == 3


def test_nothing_but_predictions_for_masks_that_are_there(here: Path, images: list[Path]) -> None:
    folder = predicted(images[:4], "coco")
    before = Path("w/data.yaml").read_text()
    with pytest.raises(DataError, match=r"nothing to add: .* that predictions nobody has corrected do not replace"):
        add_data(folder, workspace="w")
    assert Path("w/data.yaml").read_text() == before


def test_the_screen_says_why(here: Path, images: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = predicted(images)
    with pytest.raises(SystemExit) as ended:
        main(["build", "--add-data", str(folder), "--workspace", "w"])
    assert ended.value.code in (0, None)
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "4 images left out, trained on already: the new mask is a prediction that nobody has corrected: drafts" in out
    )
    assert "same mask" not in out


def test_a_training_warns(here: Path, images: list[Path], messages: Any) -> None:
    folder = predicted(images)
    data = open_training(DataSpec(folder), DEFAULT_SEED)
    assert data.val is not None
    _tell_problems(data, scan(data.train), scan(data.val), True)
    assert (
        f"training data: {len(data.train)} of {len(data.train)} images have a mask that is a prediction"
        in messages.text
    )


def test_masks_corrected_in_place_need_no_command(here: Path, data: Path, images: list[Path]) -> None:
    with pytest.raises(UsageError, match="Masks that were corrected in it need no command: the next `otx train` reads"):
        add_data(data / "train", workspace="w")
    mask = data / "train" / "masks" / f"{images[0].stem}.png"
    cv2.imwrite(str(mask), np.full((64, 64), 2, np.uint8))
    train = open_training(training_spec(open_resolver("w"), DataSpec()), DEFAULT_SEED).train
    (sample,) = [one for one in train.samples if one.name == images[0].name]
    assert (train.read_mask(sample) == 2).all()
