"""Pictures of a training at its improvements: what they show, which are kept, and that a training needs none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from brief_training import CrashAt, same_weights, train_briefly
from PIL import Image

from otx_seg.inference.pictures import Picture
from otx_seg.labels import Labels
from otx_seg.metrics.confusion import scores
from otx_seg.training.loggers import ValidationReport
from otx_seg.training.picture_rows import MOST_ROWS, TRUTH, PictureRows, prediction_rows

LABELS = Labels(("background", "red", "blue"), ((0, 0, 0), (255, 0, 0), (0, 0, 255)), 0)
FOUND = scores(torch.eye(3, dtype=torch.int64), LABELS)
STEP = 200  # pixels from a tile to the next below
RED, BLUE, GREY, EMPTY = (178, 50, 50), (50, 50, 178), (100, 100, 100), (255, 255, 255)


def picture(height: int, width: int, prediction: int) -> Picture:
    mask = np.zeros((height, width), np.uint8)
    return Picture("a.png", LABELS, np.full((height, width, 3), 100, np.uint8), mask + 1, mask + prediction)


def validated(step: int, prediction: int = 2) -> ValidationReport:
    shown = (picture(96, 128, prediction), picture(400, 200, prediction), picture(384, 512, prediction))
    return ValidationReport(step, 1, FOUND, 0.5, 1.0, lambda: shown)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_rows_show_images_truths_and_predictions(tmp_path: Path) -> None:
    rows = PictureRows(tmp_path / "pictures")
    rows.on_begin(0)
    rows.on_validation(ValidationReport(5, 1, FOUND, 0.5, 1.0))  # no improvement
    assert not (tmp_path / "pictures").exists()
    rows.on_validation(validated(10))
    rows.on_validation(validated(20, prediction=0))
    truth, first, second = (pixels(tmp_path / "pictures" / name) for name in (TRUTH, "0000010.jpg", "0000020.jpg"))
    # Tiles of four to three, the shape of two of the images, with 4 pixels around each.
    assert truth.shape == (2 * STEP, 3 * (256 + 8), 3)
    assert first.shape == second.shape == (STEP, 3 * (256 + 8), 3)
    for column in (132, 396, 660):
        middles = (truth[100, column], truth[300, column], first[100, column], second[100, column])
        for shown, expected in zip(middles, (GREY, RED, BLUE, GREY), strict=True):
            assert abs(shown - expected).max() <= 4
    # The upright image stands in the middle of its tile: 192 x 96 pixels.
    assert abs(first[100, 264 + 132 - 52] - EMPTY).max() <= 8
    assert abs(first[100, 264 + 132 - 40] - BLUE).max() <= 8
    assert prediction_rows(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(("shape", "width"), [((10, 1000), 384), ((1000, 10), 96), ((1, 1), 192)])
def test_tiles_of_extreme_images_stay_readable(tmp_path: Path, shape: tuple[int, int], width: int) -> None:
    report = ValidationReport(1, 1, FOUND, 0.5, 1.0, lambda: (picture(*shape, 1),))
    PictureRows(tmp_path).on_validation(report)
    assert pixels(tmp_path / "0000001.jpg").shape == (STEP, width + 8, 3)


def test_rows_are_few_and_spread_over_the_training(tmp_path: Path) -> None:
    rows = PictureRows(tmp_path)
    for step in range(7, 701, 7):
        rows.on_validation(validated(step))
        kept = list(prediction_rows(tmp_path))
        assert len(kept) <= MOST_ROWS
        assert (kept[0], kept[-1]) == (7, step)
    gaps = np.diff(kept)
    assert len(kept) == MOST_ROWS
    assert gaps.max() <= 2.5 * np.median(gaps)


def test_a_resumed_training_drops_what_it_repeats(tmp_path: Path) -> None:
    rows = PictureRows(tmp_path)
    for step in (3, 6, 9):
        rows.on_validation(validated(step))
    rows.on_begin(6)
    assert list(prediction_rows(tmp_path)) == [3, 6]
    assert (tmp_path / TRUTH).exists()


def test_a_training_leaves_rows_and_takes_them_along(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "crashed", loggers=[CrashAt(5)])
    before = prediction_rows(tmp_path / "crashed" / "logs" / "pictures")
    assert list(before) == [3]
    train_briefly(drawn_data, tmp_path / "moved", resume_from=tmp_path / "crashed")
    after = prediction_rows(tmp_path / "moved" / "logs" / "pictures")
    assert after[3].read_bytes() == before[3].read_bytes()
    assert set(after) <= {3, 6, 9}
    assert pixels(after[3]).shape == (STEP, 2 * STEP, 3)
    train_briefly(drawn_data, tmp_path / "moved", overwrite=True, parameters={"learning_parameters.num_iters": 1})
    assert list(prediction_rows(tmp_path / "moved" / "logs" / "pictures")) == [3]


def test_a_training_without_room_for_pictures_is_the_same(drawn_data: Path, tmp_path: Path, messages: Any) -> None:
    train_briefly(drawn_data, tmp_path / "run")
    (tmp_path / "full" / "logs").mkdir(parents=True)
    (tmp_path / "full" / "logs" / "pictures").write_text("no folder")
    train_briefly(drawn_data, tmp_path / "full")
    assert same_weights(tmp_path / "run", tmp_path / "full")
    assert messages.text.count("pictures of the training failed and gets nothing more; the training continues") == 1
