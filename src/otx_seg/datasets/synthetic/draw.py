"""A labelled data set drawn from random numbers: painted machine parts on a workbench.

Five parts, told apart by outline, pattern and paint together: each paint comes in two shades of one hue, which varies
from part to part. Size, rotation, light and ground say nothing about the label. Parts overlap, cast shadows and leave
the image at its edges.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import default_colors
from otx_seg.workspace.atomic import write_json

NAMES = ("background", "button", "plate", "wedge", "gear", "washer")
"""The labels in index order."""

# An object is 45-115 pixels wide in an image of 256: large enough for a network that answers at an eighth of that.
_RADIUS = (0.09, 0.22)  # of the image's side
_HUES = {"button": 10.0, "plate": 82.0, "wedge": 154.0, "gear": 226.0, "washer": 298.0}  # degrees
_HUE_SPREAD = 15.0  # either way
_OBJECTS = (3, 6)
_VAL_EVERY = 5  # every fifth image is for validation
_LONGEST = 2048

Floats = NDArray[np.float32]


def draw_dataset(
    folder: Path, images: int, size: int, seed: int, progress: Callable[[int], None] | None = None
) -> None:
    """Draw a data set in the Common Semantic Segmentation layout: ``folder/train`` and ``folder/val``.

    Images are JPEG, masks PNG with label indices, both named ``0000`` onwards; every fifth image goes to ``val``. The
    same arguments give the same images.

    Args:
        folder: where to draw; made if missing, files of the same names are replaced.
        images: how many, for both subsets together, at least 5.
        size: height and width in pixels, 32 to 2048.
        seed: 0 or more.
        progress: called with the number of images drawn so far, after each.

    Raises:
        UsageError: `images` or `size` is out of range.
        OSError: the folder cannot be written.
    """
    if images < _VAL_EVERY:
        raise UsageError(f"images={images}: draw at least {_VAL_EVERY}, so that one is left for validation")
    if not 32 <= size <= _LONGEST:
        raise UsageError(f"size={size}: must be 32 to {_LONGEST} pixels")
    for subset in ("train", "val"):
        for kind in ("images", "masks"):
            (folder / subset / kind).mkdir(parents=True, exist_ok=True)
    for index in range(images):
        image, mask = draw_scene(size, np.random.default_rng((seed, index)))
        target = folder / ("val" if index % _VAL_EVERY == _VAL_EVERY - 1 else "train")
        jpeg = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
        (target / "images" / f"{index:04}.jpg").write_bytes(jpeg.tobytes())
        (target / "masks" / f"{index:04}.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
        if progress is not None:
            progress(index + 1)
    meta = {
        "label_map": {str(index): name for index, name in enumerate(NAMES)},
        "segmentation_colors": [list(color) for color in default_colors(len(NAMES))],
        "background_label": "0",
    }
    for subset in ("train", "val"):
        write_json(folder / subset / "dataset_meta.json", meta)


def draw_scene(size: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw parts on a workbench under uneven light.

    Args:
        size: height and width in pixels.
        rng: where every random number comes from.

    Returns:
        image uint8 (size, size, 3) RGB, mask uint8 (size, size) of indices into `NAMES`.
    """
    image = _draw_ground(size, rng)
    mask = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(*_OBJECTS, endpoint=True)):
        _place_part(image, mask, int(rng.integers(1, len(NAMES))), rng)
    light = 0.6 + 0.6 * _smooth_noise(size, int(rng.integers(2, 4)), rng)
    image *= light[:, :, None]
    image += rng.normal(0, rng.uniform(1, 6), (size, size, 1)).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def _draw_ground(size: int, rng: np.random.Generator) -> Floats:
    """Grain between two dull colours, in one direction or none, crossed by scratches; float32 (size, size, 3)."""
    first = rng.uniform(60, 200) + rng.uniform(-15, 15, 3)
    second = first + rng.uniform(-60, 60) + rng.uniform(-10, 10, 3)
    grain = np.zeros((size, size), np.float32)
    stretch = rng.uniform(0.15, 1)
    for cells in (4, 16, 64):
        grid = rng.random((cells, max(2, int(cells * stretch))), dtype=np.float32)
        grain += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) / 3
    if rng.random() < 0.5:
        grain = np.ascontiguousarray(grain.T)
    ground = _mix(np.clip(grain, 0, 1), first, second)
    for _ in range(rng.integers(0, 9)):
        start, end = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(ground, start, end, rng.uniform(30, 225, 3).tolist(), int(rng.integers(1, 3)), cv2.LINE_AA)
    return ground


def _place_part(image: Floats, mask: NDArray[np.uint8], label: int, rng: np.random.Generator) -> None:
    """Draw one part, with its shadow, over what is there. Its centre lies in the image."""
    size = len(mask)
    radius = rng.uniform(*_RADIUS) * size * (1.25 if NAMES[label] == "wedge" else 1)  # a triangle fills less of it
    side = int(np.ceil(radius)) * 2 + 1
    outline = _outline(NAMES[label], side, radius, rng)
    surface = _surface(NAMES[label], side, radius, rng)
    top, left = (rng.integers(0, size, 2) - side // 2).tolist()
    _cast_shadow(image, outline, top, left, rng)
    window, part = _overlap(size, side, top, left)
    cover = outline[part][:, :, None]
    image[window] += cover * (surface[part] - image[window])
    mask[window][outline[part] >= 0.5] = label


def _cast_shadow(image: Floats, outline: Floats, top: int, left: int, rng: np.random.Generator) -> None:
    side = len(outline)
    margin = side // 8
    wide = cv2.copyMakeBorder(outline, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    shadow = cv2.blur(wide, (margin | 1, margin | 1)) * np.float32(rng.uniform(0, 0.6))
    down, right = rng.integers(-margin, margin, 2, endpoint=True).tolist()
    window, part = _overlap(len(image), side + 2 * margin, top - margin + down, left - margin + right)
    image[window] *= 1 - shadow[part][:, :, None]


def _overlap(size: int, side: int, top: int, left: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a square of `side` at (top, left) lies in an image of `size`, and which part of the square that is."""
    rows, columns = (slice(max(0, start), min(size, start + side)) for start in (top, left))
    return (rows, columns), (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )


def _outline(name: str, side: int, radius: float, rng: np.random.Generator) -> Floats:
    """How much of each pixel a part covers, float32 (side, side) in 0..1, the part's centre in the middle."""
    sharp = 8  # cv2 takes fixed-point coordinates: 8 fractional bits
    cover = np.zeros((side, side), np.uint8)
    centre = (side - 1) / 2
    turn = rng.uniform(0, 2 * np.pi)

    def fill(angles: NDArray[np.float64], radii: NDArray[np.float64] | float, value: int) -> None:
        points = centre + radius * np.stack((np.cos(angles + turn), np.sin(angles + turn)), axis=1) * np.reshape(
            radii, (-1, 1)
        )
        cv2.fillPoly(cover, [np.rint(points * 2**sharp).astype(np.int32)], value, cv2.LINE_AA, sharp)

    circle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    if name in ("button", "washer"):
        fill(circle, 1.0, 255)
    if name == "washer":
        fill(circle, rng.uniform(0.4, 0.55), 0)
    if name == "plate":
        corner = rng.uniform(0.6, 0.95)  # half the angle between two corners: a rectangle up to 1 : 1.45
        fill(np.array([corner, np.pi - corner, np.pi + corner, -corner]), 1.0, 255)
    if name == "wedge":
        fill(np.array([0, 2, 4]) * np.pi / 3 + rng.uniform(-0.25, 0.25, 3), 1.0, 255)
    if name == "gear":
        teeth = int(rng.integers(6, 10))
        angles = np.linspace(0, 2 * np.pi, teeth * 4, endpoint=False)
        fill(angles, np.tile([1.0, 1.0, 0.7, 0.7], teeth), 255)
    return cover.astype(np.float32) / np.float32(255)


def _surface(name: str, side: int, radius: float, rng: np.random.Generator) -> Floats:
    """The colours of a part, float32 (side, side, 3) in 0..255: two shades of its paint in its pattern."""
    hue = _HUES[name] + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD)
    first = _paint(hue, saturation=rng.uniform(0.4, 1), value=rng.uniform(0.65, 1))
    second = _paint(hue, saturation=rng.uniform(0.4, 1), value=rng.uniform(0.25, 0.5))
    rows, columns = np.mgrid[:side, :side].astype(np.float32) - np.float32((side - 1) / 2)
    turn, period = rng.uniform(0, 2 * np.pi), np.float32(rng.uniform(7, 11) * max(1, radius / 30))
    along = (columns * np.cos(turn) + rows * np.sin(turn)) * (2 * np.pi / period)
    across = (rows * np.cos(turn) - columns * np.sin(turn)) * (2 * np.pi / period)
    if name == "button":  # dots
        pattern = np.cos(along) + np.cos(across) - 0.6
    elif name == "plate":  # checks
        pattern = np.sin(along) * np.sin(across) * 4
    elif name == "wedge":  # stripes
        pattern = np.sin(along) * 2
    elif name == "gear":  # speckles
        pattern = rng.normal(0, 1.5, (side, side))
    else:  # washer: a sheen from one side to the other
        pattern = along * period / (2 * np.pi) / radius
    return _mix(np.clip(pattern.astype(np.float32) + 0.5, 0, 1), first, second)


def _paint(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    """RGB, 0..255, of a hue in degrees with saturation and value 0..1."""
    return 255 * np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value))


def _smooth_noise(size: int, cells: int, rng: np.random.Generator) -> Floats:
    return cv2.resize(rng.random((cells, cells), dtype=np.float32), (size, size), interpolation=cv2.INTER_LINEAR)


def _mix(share: Floats, first: NDArray[np.float64], second: NDArray[np.float64]) -> Floats:
    """From `first` where `share` is 0 to `second` where it is 1: (H, W) and two colours -> (H, W, 3)."""
    return share[:, :, None] * (second - first).astype(np.float32) + first.astype(np.float32)
