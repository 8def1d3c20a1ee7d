"""Masks painted from outlines are those that COCO's tools paint on a whole plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from otx_seg.annotations import canvas
from otx_seg.annotations.polygons import Outline, OutlinedObjects, ellipse, page
from otx_seg.annotations.samples import Sample
from otx_seg.errors import DataError

HEIGHT, WIDTH = 40, 60


def painted(*objects: Outline) -> Any:
    reader = OutlinedObjects(("background", "cat"), 0, {"a.png": page((HEIGHT, WIDTH), objects)})
    return reader.read(Sample("a.png", "a.json", "images", "."))


@pytest.mark.parametrize("seed", range(5))
def test_polygons_anywhere(seed: int) -> None:
    """Partly outside of the image, tiny ones among them."""
    draw = np.random.default_rng(seed)
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    objects = []
    for label in range(1, 30):
        middle, size = draw.uniform((-5, -5), (WIDTH + 5, HEIGHT + 5)), draw.uniform(0.2, 20)
        polygon = (middle + draw.uniform(-size, size, (draw.integers(3, 9), 2))).round(1).reshape(-1).tolist()
        expected[coco.decode(coco.merge(coco.frPyObjects([polygon], HEIGHT, WIDTH))) == 1] = label
        objects.append(Outline(label, [polygon]))
    np.testing.assert_array_equal(painted(*objects), expected)
    assert len(np.unique(expected)) > 5


def test_run_lengths_of_both_kinds() -> None:
    there = np.zeros((HEIGHT, WIDTH), np.uint8)
    there[3:9, 50:] = there[20, :7] = 1
    code = coco.encode(np.asfortranarray(there))
    compressed = {"counts": code["counts"].decode(), "size": [HEIGHT, WIDTH]}
    column_by_column = there.T.reshape(-1)
    edges = np.flatnonzero(np.diff(column_by_column, prepend=0, append=0))
    runs = np.diff([0, *edges, len(column_by_column)] if edges[-1] != len(column_by_column) else [0, *edges]).tolist()
    for shape in (compressed, {"counts": runs, "size": [HEIGHT, WIDTH]}):
        np.testing.assert_array_equal(painted(Outline(1, shape)), there)
    empty = {"counts": [HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]}
    assert not painted(Outline(1, empty)).any()


def test_an_ellipse() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    upright = painted(Outline(1, [ellipse(30, 20, 16, 8)]))
    inside = ((columns - 30) / 16) ** 2 + ((rows - 20) / 8) ** 2 < 1
    assert (upright != inside).sum() < 0.05 * inside.sum()
    turned = painted(Outline(1, [ellipse(30, 20, 16, 8, 90)]))
    inside = ((columns - 30) / 8) ** 2 + ((rows - 20) / 16) ** 2 < 1
    assert (turned != inside).sum() < 0.05 * inside.sum()
    # Clockwise as images are looked at: the right end goes down.
    lower_right, lower_left = painted(Outline(1, [ellipse(30, 20, 16, 4, 30)]))[24:30, :][:, [42, 18]].any(axis=0)
    assert lower_right
    assert not lower_left


@pytest.mark.parametrize("seed", range(5))
def test_noisy_run_lengths_are_painted_as_coco_decodes_them(seed: int) -> None:
    draw = np.random.default_rng(seed)
    there = (draw.random((HEIGHT, WIDTH)) < draw.choice([0.02, 0.5, 0.98])).astype(np.uint8)
    code = coco.encode(np.asfortranarray(there))
    np.testing.assert_array_equal(painted(Outline(1, {"counts": code["counts"].decode(), "size": [40, 60]})), there)


def test_a_code_of_rows_in_a_box() -> None:
    mask = painted(Outline(1, {"counts": [1, 2, 3], "box": [57, 38, 3, 2]}))
    assert np.argwhere(mask).tolist() == [[38, 58], [38, 59]]
    for box in ([58, 38, 3, 2], [-1, 0, 3, 2], [0, 0, 0, 2], [0, 39, 3, 2], [0, 0, 300_000, 300_000]):
        with pytest.raises(DataError, match="leaves the image"):
            painted(Outline(1, {"counts": [1, 2, 3], "box": box}))
    with pytest.raises(DataError, match="its run-length code is for 5 pixels"):
        painted(Outline(1, {"counts": [1, 2, 2], "box": [0, 0, 3, 2]}))


def test_work_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Outline(1, {"counts": [0, HEIGHT * WIDTH], "size": [HEIGHT, WIDTH]})
    square = Outline(1, [[0, 0, 30, 0, 30, 30, 0, 30]])
    box = Outline(1, {"counts": [0, 6], "box": [0, 0, 3, 2]})
    for shape in (whole, square, box):
        monkeypatch.setattr(canvas, "_MOST_WORK", 3.9 * work_of(shape))
        painted(shape, shape, shape)
        with pytest.raises(DataError, match="the objects are too many, and too large, for one image"):
            painted(shape, shape, shape, shape)


def work_of(shape: Outline) -> float:
    """In seconds, as they are estimated."""
    alone = canvas.Canvas(HEIGHT, WIDTH, 0)
    alone.paint(shape.shape, 1)
    return alone._work
