"""Scores of single images, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import PixelCounts, counts_by_label
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.definitions import METRICS

MATRICES = [
    torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]]),  # label 1: I=3 T=4 P=5
    torch.tensor([[8, 0, 4], [0, 2, 0], [0, 0, 0]]),  # label 1 right; label 2: I=0 T=0 P=4
    torch.tensor([[9, 0, 0], [0, 0, 0], [0, 0, 0]]),
]
COUNTED = CountedImages(
    Labels(("background", "dent", "rust"), default_colors(3), 0),
    ("a.png", "b.png", "c.png"),
    PixelCounts(torch.stack(MATRICES).sum(0), torch.stack([counts_by_label(matrix) for matrix in MATRICES])),
)


def test_each_image_is_scored_by_the_labels_that_are_there_or_predicted() -> None:
    assert COUNTED.of_images(METRICS["dice"]) == pytest.approx({"a.png": 6 / 9, "b.png": 1 / 2, "c.png": None})
    assert COUNTED.of_images(METRICS["iou"]) == pytest.approx({"a.png": 3 / 6, "b.png": 1 / 2, "c.png": None})
    assert COUNTED.of_images(METRICS["recall"]) == pytest.approx({"a.png": 3 / 4, "b.png": 1 / 2, "c.png": None})


def test_metrics_of_all_labels_have_a_value_of_each_image_too() -> None:
    assert COUNTED.of_images(METRICS["accuracy"]) == pytest.approx({"a.png": 9 / 12, "b.png": 10 / 14, "c.png": 1.0})


def test_the_worst_come_first() -> None:
    assert COUNTED.worst(9) == [("b.png", pytest.approx(1 / 2)), ("a.png", pytest.approx(6 / 9))]
    assert [name for name, _ in COUNTED.worst(1)] == ["b.png"]


def test_confusions_have_names_and_no_zeros() -> None:
    assert COUNTED.confusions() == {
        "background": {"background": 23, "dent": 2, "rust": 4},
        "dent": {"background": 1, "dent": 5},
        "rust": {},
    }
