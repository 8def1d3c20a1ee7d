"""What the pixels of written masks hold."""

from __future__ import annotations

import numpy as np
import pytest

from otx_seg.errors import UsageError
from otx_seg.inference.mask_coding import MaskCoding
from otx_seg.labels import Labels, extended, labels_to_plain
from otx_seg.runtime.model_info import checked_labels

COLORS = ((0, 0, 0), (255, 0, 0), (254, 0, 0))
LABELS = Labels(("background", "cat", "dog"), COLORS, 0, (7, 300, 0))
MASK = np.array([[0, 1], [2, 0]], np.uint8)


def test_indices_and_colours() -> None:
    np.testing.assert_array_equal(MaskCoding(LABELS, "index")(MASK), MASK)
    drawn = MaskCoding(LABELS, "color")(MASK)
    assert drawn.dtype == np.uint8
    assert [tuple(pixel) for pixel in drawn.reshape(-1, 3).tolist()] == [LABELS.shown_colors[i] for i in (0, 1, 2, 0)]
    assert len({tuple(pixel) for pixel in drawn.reshape(-1, 3).tolist()}) == 3  # red and almost red differ


def test_original_values() -> None:
    written = MaskCoding(LABELS, "original")(MASK)
    assert written.dtype == np.uint16
    assert written.tolist() == [[7, 300], [0, 7]]
    colors = Labels(LABELS.names, COLORS, 0, COLORS)
    assert MaskCoding(colors, "original")(MASK)[1, 0].tolist() == [254, 0, 0]
    with pytest.raises(UsageError, match="does not tell what the masks of its training data held"):
        MaskCoding(Labels(LABELS.names, COLORS, 0), "original")


def test_values_come_back_and_earlier_files_have_none() -> None:
    for values in ((7, 300, 0), COLORS, None):
        labels = Labels(LABELS.names, COLORS, 0, values)
        plain = labels_to_plain(labels)
        assert ("mask_values" in plain) == (values is not None)
        assert checked_labels(plain).mask_values == values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1], "not one for each of 3 labels"),
        ("abc", "not one for each"),
        ([0, 1, 1], "labels have different ones"),
        ([0, 1, [0, 0, 0]], "all numbers or all colors"),
        ([0, 1, 65536], "a mask value"),
        ([0, 1, 1.5], "a mask value"),
        ([0, 1, -1], "a mask value"),
        ([[0, 0, 0], [1, 1, 1], [0, 0, 256]], "a part of the color"),
    ],
)
def test_values_that_are_none(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_labels({**labels_to_plain(LABELS), "mask_values": values})


def test_of_labels_that_are_added() -> None:
    other = Labels(("background", "bird"), COLORS[:2], 0, (0, 9))
    assert extended(LABELS, other).mask_values == (7, 300, 0, 9)
    taken = Labels(("background", "bird"), COLORS[:2], 0, (1, 300))
    unknown = Labels(("background", "bird"), COLORS[:2], 0)
    painted = Labels(("background", "bird"), COLORS[:2], 0, COLORS[:2])
    for odd in (taken, unknown, painted):
        assert extended(LABELS, odd).mask_values is None
    assert extended(unknown, LABELS).mask_values is None
