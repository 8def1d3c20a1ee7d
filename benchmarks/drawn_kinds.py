"""Data sets drawn from random numbers that differ in kind: thin structures, tiny objects, two huge regions.

Machine parts of usual size are in `otx_seg.datasets.synthetic`; these are what else a factory or a clinic may have, for
benchmarks of choices that depend on the data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.labels import default_colors
from otx_seg.workspace.atomic import write_json

Scene = tuple[NDArray[np.generic], NDArray[np.uint8]]


@dataclass(frozen=True)
class Kind:
    """One kind of data set.

    Attributes:
        names: the labels in index order, the background first.
        draw: (height, width) in pixels and random numbers to an image and its mask, uint8 (H, W) of indices into
            `names`; the image is uint8 (H, W, 3) RGB, uint8 (H, W), or uint16 (H, W) with the values of 12 bits.
    """

    names: tuple[str, ...]
    draw: Callable[[tuple[int, int], np.random.Generator], Scene]


def draw_kind(folder: Path, kind: str, images: int, size: tuple[int, int], seed: int) -> None:
    """Draw a data set in the Common Semantic Segmentation layout, without subsets: PNG images and index masks.

    Args:
        folder: where to draw; made if missing, files of the same names are replaced.
        kind: a key of `KINDS`.
        images: how many, at least 1.
        size: (height, width) in pixels, at least 64 each.
        seed: 0 or more; the same arguments give the same images.

    Raises:
        UsageError: an unknown kind, or `images` or `size` out of range.
        OSError: the folder cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(f"kind={kind}: unknown; known: {', '.join(KINDS)}")
    if images < 1 or min(size) < 64:
        raise UsageError(f"images={images}, size={size}: draw at least one image of at least 64 x 64 pixels")
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index in range(images):
        image, mask = KINDS[kind].draw(size, np.random.default_rng((seed, index)))
        stored = image[:, :, ::-1] if image.ndim == 3 else image
        (folder / "images" / f"{index:04}.png").write_bytes(cv2.imencode(".png", stored)[1].tobytes())
        (folder / "masks" / f"{index:04}.png").write_bytes(cv2.imencode(".png", mask)[1].tobytes())
    names = KINDS[kind].names
    meta = {
        "label_map": {str(index): name for index, name in enumerate(names)},
        "segmentation_colors": [list(color) for color in default_colors(len(names))],
        "background_label": "0",
    }
    write_json(folder / "dataset_meta.json", meta)


def draw_thin(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Cracks (dark, jagged) and wires (bright, smooth) on an uneven surface, grey with 12 bits.

    They are 3 to 8 thousandths of the longer side wide, and at least a pixel.
    """
    image = 1200 + 1600 * _clouds(size, 5, rng) + rng.normal(0, 60, size)
    mask = np.zeros(size, np.uint8)
    for _ in range(rng.integers(2, 7)):
        label = int(rng.integers(1, 3))
        line = _line(size, jagged=label == 1, rng=rng)
        width = max(1, round(max(size) / 1000 * rng.uniform(3, 8)))
        cover = cv2.polylines(np.zeros(size, np.uint8), [line], isClosed=False, color=1, thickness=width) > 0
        mask[cover] = label
        image[cover] += rng.uniform(350, 900) * (-1 if label == 1 else 1)
    return np.clip(image, 0, 4095).astype(np.uint16), mask


def draw_tiny(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Seeds (discs) and grains (squares), 6 to 12 pixels across, of one brown on coloured ground."""
    ground = rng.uniform(90, 170, 3) + 50 * (_clouds(size, 9, rng)[:, :, None] - 0.5)
    image = np.ascontiguousarray(ground + rng.normal(0, 6, (*size, 3)), np.float32)
    mask = np.zeros(size, np.uint8)
    number = rng.poisson(size[0] * size[1] / 25_000) + 1
    for label in rng.integers(1, 3, number).tolist():
        row, column = (int(rng.integers(0, side)) for side in size)
        radius, color = int(rng.integers(3, 7)), _color(label, rng)
        if label == 1:
            cv2.circle(image, (column, row), radius, color, -1)
            cv2.circle(mask, (column, row), radius, label, -1)
        else:
            corners = (column - radius, row - radius), (column + radius, row + radius)
            cv2.rectangle(image, *corners, color, -1)
            cv2.rectangle(mask, *corners, label, -1)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def draw_regions(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Two regions that fill the image, tissue and ground, of one mean brightness and different grain, grey."""
    height, width = size
    border = height * (0.3 + 0.4 * np.interp(np.arange(width), np.linspace(0, width, 6), rng.random(6)))
    mask = (np.arange(height)[:, None] > border[None, :]).astype(np.uint8)
    if rng.random() < 0.5:
        mask = np.ascontiguousarray(mask[::-1])
    # In a large image the grain is large, so that it is not lost when the image is shrunk.
    fine, coarse = _grain(size, max(1, height // 256), rng), _grain(size, max(6, height // 60), rng)
    light = rng.uniform(100, 160) + 40 * (_clouds(size, 3, rng) - 0.5)
    image = light + np.where(mask == 1, coarse, fine)
    return np.clip(image, 0, 255).astype(np.uint8), mask


KINDS: dict[str, Kind] = {
    "thin": Kind(("background", "crack", "wire"), draw_thin),
    "tiny": Kind(("background", "seed", "grain"), draw_tiny),
    "regions": Kind(("ground", "tissue"), draw_regions),
}
"""The kinds of data sets by name."""


def _grain(size: tuple[int, int], cell: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise with cells of so many pixels, standard deviation 30, (H, W)."""
    cells = rng.normal(0, 30, tuple(-(-side // cell) for side in size))
    return cells if cell == 1 else np.asarray(cv2.resize(cells, size[::-1], interpolation=cv2.INTER_LINEAR))


def _clouds(size: tuple[int, int], cells: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Smooth random values 0..1, (H, W)."""
    return np.asarray(cv2.resize(rng.random((cells, cells)), size[::-1], interpolation=cv2.INTER_LINEAR))


def _line(size: tuple[int, int], jagged: bool, rng: np.random.Generator) -> NDArray[np.int32]:
    """The corners of a line through the image, (N, 2) of column and row."""
    points = max(size) // 24
    turns = rng.normal(0, 0.7 if jagged else 0.08, points)
    headings = rng.uniform(0, 2 * np.pi) + (turns if jagged else np.cumsum(turns))
    steps = 24 * np.stack((np.cos(headings), np.sin(headings)), axis=1)
    start = rng.uniform(0.1, 0.9, 2) * size[::-1]
    return np.rint(start + np.cumsum(steps, axis=0)).astype(np.int32)


def _color(label: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """A brownish colour, a little darker for grains."""
    dark = rng.uniform(20, 60) - (10 if label == 2 else 0)
    return float(dark + 40), float(dark + 15), float(dark)
