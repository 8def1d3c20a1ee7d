"""Scores of single images, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import PixelCounts, counts_by_label
from otx_seg.metrics.counted_images import CountedImages, ImageScore

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
    found = COUNTED.scores()
    assert found["a.png"] == pytest.approx(ImageScore(6 / 9, 3 / 6))
    assert found["b.png"] == pytest.approx(ImageScore(1 / 2, 1 / 2))
    assert found["c.png"] is None


def test_the_worst_come_first() -> None:
    assert [name for name, _ in COUNTED.worst(9)] == ["b.png", "a.png"]
    assert [name for name, _ in COUNTED.worst(1)] == ["b.png"]


def test_confusions_have_names_and_no_zeros() -> None:
    assert COUNTED.confusions() == {
        "background": {"background": 23, "dent": 2, "rust": 4},
        "dent": {"background": 1, "dent": 5},
        "rust": {},
    }
