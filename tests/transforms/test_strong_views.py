"""The augmentations of strong views: grey, holes, blur, colours of the whole image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otx_seg.errors import UsageError
from otx_seg.transforms.blur import Blur
from otx_seg.transforms.cut_out import CutOut
from otx_seg.transforms.grey import Grey
from otx_seg.transforms.photometric import Photometric
from otx_seg.transforms.pipeline import build_pipeline
from otx_seg.transforms.solarize import Solarize

IMAGE = np.random.default_rng(1).integers(1, 256, (40, 60, 3), np.uint8)
MASK = np.zeros((40, 60), np.uint8)
COLORS = {"brightness": 30, "contrast": [0.5, 1.5], "saturation": [0.5, 1.5], "hue": 18}
ALL: list[tuple[type, dict[str, Any]]] = [
    (Grey, {}),
    (CutOut, {"holes": [1, 3], "side": [0.2, 0.4]}),
    (Blur, {"sigma": [1, 2]}),
    (Solarize, {"threshold": 128}),
    (Photometric, COLORS),
]


@pytest.mark.parametrize(("kind", "settings"), ALL)
def test_the_probability_is_kept_and_the_original_left_alone(kind: type, settings: dict[str, Any]) -> None:
    before, rng = IMAGE.copy(), np.random.default_rng(0)
    assert kind(probability=0.0, **settings)(IMAGE, MASK, rng)[0] is IMAGE
    transform, changed = kind(probability=0.3, **settings), 0
    for _ in range(400):
        image, mask = transform(IMAGE, MASK, rng)
        assert mask is MASK
        assert image.shape == IMAGE.shape
        assert image.dtype == np.uint8
        changed += image is not IMAGE
    assert 0.22 < changed / 400 < 0.38
    assert np.array_equal(IMAGE, before)
    with pytest.raises(ValueError, match="probability"):
        kind(probability=1.1, **settings)


def test_grey_is_the_luma_in_all_channels() -> None:
    image, _ = Grey(1.0)(np.full((2, 2, 3), (200, 100, 50), np.uint8), MASK, np.random.default_rng(0))
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert (image == 124).all()


def test_bright_values_are_inverted() -> None:
    image, _ = Solarize(1.0, 128)(np.full((2, 2, 3), (127, 128, 255), np.uint8), MASK, np.random.default_rng(0))
    assert (image == (127, 127, 0)).all()


def test_holes_have_the_sizes_asked_for() -> None:
    rng, transform = np.random.default_rng(0), CutOut(1.0, [1, 1], [0.25, 0.5])
    heights, widths, tops = set(), set(), set()
    for _ in range(300):
        black = (transform(IMAGE, MASK, rng)[0] == 0).all(axis=2)
        rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
        assert black.sum() == len(rows) * len(columns)  # one rectangle
        heights.add(len(rows))
        widths.add(len(columns))
        tops.add(int(rows[0]))
    assert (min(heights), max(heights), min(widths), max(widths)) == (10, 20, 15, 30)
    assert min(tops) == 0
    assert max(tops) >= 28


def test_more_holes_hide_more() -> None:
    rng = np.random.default_rng(0)
    few, many = (
        np.mean([(CutOut(1.0, holes, [0.2, 0.2])(IMAGE, MASK, rng)[0] == 0).mean() for _ in range(50)])
        for holes in ([1, 1], [8, 8])
    )
    assert few == pytest.approx(0.04, abs=0.001)
    assert 0.15 < many < 0.32


def test_blur_smooths() -> None:
    rng = np.random.default_rng(0)
    spreads = [IMAGE.std(), *(Blur(1.0, [s, s])(IMAGE, MASK, rng)[0].std() for s in (1.0, 3.0))]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[2] < 0.2 * spreads[0]


def test_colours_change_everywhere_alike() -> None:
    grey = np.full((40, 60, 3), 100, np.uint8)
    shifts = set()
    for seed in range(40):
        settings = {**COLORS, "contrast": [1.0, 1.0]}
        image, _ = Photometric(1.0, **settings)(grey, MASK, np.random.default_rng(seed))
        assert len(np.unique(image)) <= 2  # rounding may tell the channels apart
        shifts.add(int(image[0, 0, 0]) - 100)
    assert min(shifts) < -20
    assert max(shifts) > 20
    assert all(abs(shift) <= 30 for shift in shifts)


def test_a_pipeline_that_must_not_move_pixels_says_what_does() -> None:
    view = {
        "type": "RandomView",
        "scale_range": [1.0, 1.0],
        "single_label_limit": 1.0,
        "flip_probability": 0.0,
        "rotation_degrees": 0.0,
        "rotation_probability": 0.0,
    }
    with pytest.raises(UsageError, match=r"strong_pipeline\[1\]: RandomView moves pixels"):
        build_pipeline([{"type": "Grey", "probability": 1.0}, view], (8, 8), "strong_pipeline", moves_pixels=False)
