"""What TensorBoard reads of what it is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from otx_seg.inference.pictures import Picture
from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import PixelCounts, counts_by_label, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.training.loggers import StepReport, TrainResult, ValidationReport
from otx_seg.training.tracked_run import TrackedRun
from otx_seg.training.trackers.tensorboard import Tensorboard

LABELS = Labels(("background", "grüne Wiese"), default_colors(2), 0)
CONFUSION = torch.tensor([[2, 1], [1, 4]])
FOUND = scores(CONFUSION, LABELS)

TEXTS = ("parameters/text_summary", "confusion/text_summary", "report/text_summary")


def step(number: int, loss: float) -> StepReport:
    losses = {"loss": loss, "CrossEntropy": loss / 2, "aux_0 CrossEntropy": loss / 2}
    return StepReport(number, 100, 1, number / 100, losses, 0.25, float(number))


def test_a_training_that_goes_on_repeats_no_step(tmp_path: Path) -> None:
    image, nothing = np.full((4, 6, 3), 100, np.uint8), np.zeros((4, 6), np.uint8)
    picture = Picture("a/b c.jpg", LABELS, image, nothing + 1, nothing)
    tracker = TrackedRun(Tensorboard(tmp_path / "events"))
    tracker.on_parameters({"seed": 42, "labels": "a|b"})
    tracker.on_begin(0)
    for number in (1, 2, 10, 20):  # every tenth is written
        tracker.on_step(step(number, 1.0))
    tracker.on_validation(ValidationReport(20, 2, FOUND, 1.0, 20.0, lambda: (picture,)))
    # Killed here; the last checkpoint is that of step 10.
    again = TrackedRun(Tensorboard(tmp_path / "events"))
    again.on_begin(10)
    again.on_step(step(20, 3.0))
    again.on_validation(ValidationReport(20, 2, FOUND, 1.0, 20.0, lambda: (picture,)))
    counts = PixelCounts(CONFUSION, counts_by_label(CONFUSION)[None])
    again.on_end(TrainResult(tmp_path, None, 2, 2, 20, 1.0, "", counted=CountedImages(LABELS, ("a",), counts)))
    again.on_report(tmp_path / "report.html")
    again.on_close()

    read = EventAccumulator(str(tmp_path / "events")).Reload()
    values = {name: [(one.step, one.value) for one in read.Scalars(name)] for name in read.Tags()["scalars"]}
    assert values.pop("learning_rate") == [(1, 0.25), (10, 0.25), (20, 0.25)]
    assert values.pop("losses/loss") == [(1, 1.0), (10, 1.0), (20, 3.0)]
    for name in ("CrossEntropy", "aux_0 CrossEntropy"):
        assert values.pop(f"losses/{name}") == [(1, 0.5), (10, 0.5), (20, 1.5)]
    assert {name: found for name, ((_, found),) in values.items()} == pytest.approx(
        {
            "scores/Dice Average": 0.8,
            "scores/mDice": (2 / 3 + 0.8) / 2,
            "scores/mIoU": (2 / 4 + 4 / 6) / 2,
            "scores/fwIoU": (3 * 2 / 4 + 5 * 4 / 6) / 8,
            "scores/pixel accuracy": 6 / 8,
            "Dice/background": 2 / 3,
            "Dice/grüne Wiese": 0.8,
            "IoU/background": 2 / 4,
            "IoU/grüne Wiese": 4 / 6,
        }
    )
    (shown,) = read.Images("image, truth, prediction/a/b c.jpg")
    pixels = np.asarray(Image.open(io.BytesIO(shown.encoded_image_string)))
    assert shown.step == 20
    assert_array_equal(pixels, np.hstack(picture.drawn()))
    assert_array_equal(pixels[:, 12:], image)  # background stays as it is
    assert (pixels[:, 6:12] != image).any()
    (matrix,) = read.Images("confusion matrix/kept network")
    assert matrix.step == 20
    texts = {name: [one.tensor_proto.string_val[0].decode() for one in read.Tensors(name)] for name in TEXTS}
    assert texts["parameters/text_summary"][0].splitlines()[2:] == ["seed | 42", r"labels | a\|b"]
    assert texts["confusion/text_summary"][0].splitlines()[2:] == ["background | 2 | 1", "grüne Wiese | 1 | 4"]
    assert texts["report/text_summary"] == [str(tmp_path / "report.html")]
