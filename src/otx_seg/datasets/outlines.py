"""Masks painted from the outlines of objects: polygons and run-length codes.

Objects are painted one over the other in the order in which they are given. What no object covers is background.
Polygons are filled by COCO's own tools: a pixel belongs to a polygon that covers its centre, more or less.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.dataset_meta import check_names
from otx_seg.datasets.mask_faults import MaskContentError
from otx_seg.datasets.masks import Color
from otx_seg.datasets.samples import Sample
from otx_seg.labels import Labels, background_index, default_colors
from otx_seg.runtime.images import verify_image

BACKGROUND = "background"
_FEWEST_NUMBERS = 6  # of a polygon: three points
_FEWEST_CORNERS = 64  # of the polygon that stands for an ellipse
_CORNERS_PER_ROOT = 10  # and per square root of its radius, so that it is off by less than a twentieth of a pixel


class Outline(NamedTuple):
    """One object.

    Attributes:
        label: its index, or 255 where its pixels are to be ignored.
        shape: polygons [[x, y, x, y, ...], ...] in pixels from the image's top left corner, or a run-length code as in
            COCO, ``{"counts": ..., "size": [height, width]}``.
    """

    label: int
    shape: Any


@dataclass(frozen=True)
class OutlinedObjects:
    """Paints the masks of a data set; the objects of an image are read when its mask is.

    Attributes:
        names: labels in index order.
        uncovered: index of the label of pixels that no object covers.
        pages: by the name of a sample, its size and objects as JSON: few bytes that travel fast to other processes.
        void: none.
        size_advice: see `MaskReader`.
    """

    names: tuple[str, ...]
    uncovered: int
    pages: Mapping[str, bytes]
    void: tuple[str, ...] = ()
    size_advice: str = "correct the size of the image there, or put the image here that the outlines were drawn on"

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`, 255 for ignored.

        Raises:
            MaskContentError: an outline is unusable.
            DataError: the size of the image is not noted and cannot be read.
        """
        page = json.loads(self.pages[sample.name])
        height, width = page["size"] or verify_image(sample.image)
        mask = np.full((height, width), self.uncovered, np.uint8)
        for label, shape in page["objects"]:
            try:
                _paint(mask, shape, label)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
                raise MaskContentError(
                    f"{sample.mask}: the outline of an object in {sample.name} ({width} x {height} pixels) is "
                    f"unusable: {error}"
                ) from error
        return mask

    def verify(self, sample: Sample) -> None:
        """Nothing more can be damaged than what `read` tells of."""


def page(size: Sequence[int] | None, objects: Iterable[Outline]) -> bytes:
    """What `OutlinedObjects` keeps of an image.

    Args:
        size: (height, width) in pixels, or None for that of the image file.
        objects: in the order of painting.
    """
    return json.dumps({"size": size, "objects": list(objects)}, separators=(",", ":")).encode()


def split_polygons(polygons: Iterable[Sequence[float]]) -> tuple[list[Sequence[float]], list[list[float]]]:
    """The polygons of an object that have an inside; and the boxes around those of fewer than three points.

    Label tools keep such, from clicks that went astray. What they were meant to be cannot be told.

    Args:
        polygons: [x, y, x, y, ...] each, in pixels.

    Returns:
        polygons of six numbers and more, and for each of the others that has points a box around all pixels it touches,
        as a polygon.
    """
    whole, boxes = [], []
    for polygon in polygons:
        if len(polygon) >= _FEWEST_NUMBERS and len(polygon) % 2 == 0:
            whole.append(polygon)
        elif len(polygon) > 1:
            xs, ys = ([float(part) for part in polygon[start : len(polygon) // 2 * 2 : 2]] for start in (0, 1))
            left, top = math.floor(min(xs)), math.floor(min(ys))
            right, bottom = max(left + 1, math.ceil(max(xs))), max(top + 1, math.ceil(max(ys)))
            boxes.append(rectangle(left, top, right, bottom))
    return whole, boxes


def rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    """A box as a polygon."""
    return [left, top, right, top, right, bottom, left, bottom]


def ellipse(x: float, y: float, x_radius: float, y_radius: float, degrees: float = 0.0) -> list[float]:
    """An ellipse around (x, y) as a polygon, turned clockwise as images are looked at."""
    corners = max(_FEWEST_CORNERS, math.ceil(_CORNERS_PER_ROOT * math.sqrt(max(x_radius, y_radius, 0))))
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    turn = np.deg2rad(degrees)
    across, down = x_radius * np.cos(angles), y_radius * np.sin(angles)
    xs, ys = x + across * np.cos(turn) - down * np.sin(turn), y + across * np.sin(turn) + down * np.cos(turn)
    return [float(part) for part in np.stack([xs, ys], axis=1).reshape(-1)]


def tell_of_strays(number: int, first: str) -> str:
    """What a user should know of polygons of fewer than three points: how many, and the image with the first one."""
    if number == 1:
        return f"1 outline has fewer than three points, in {first}: the pixels in its box are ignored"
    what = f"{number} outlines have fewer than three points, the first one in {first}"
    return f"{what}: the pixels in their boxes are ignored"


def labels_with_background(
    names: Sequence[str], where: Any, colors: Mapping[str, Color] | None = None
) -> tuple[Labels, int]:
    """Labels of objects, and what is to be added to the index of each one.

    Formats of objects leave out what is around them. It is the label called background; where there is none, one is put
    before the others, so that each index grows by one.

    Args:
        names: in the data set's order.
        where: the file or folder they stand in, for messages.
        colors: of labels that have one.

    Raises:
        DataError: names that cannot be used, or too few or many.
    """
    own = background_index(tuple(names))
    every = tuple(names) if own is not None else (BACKGROUND, *names)
    check_names(every, where)
    shown = tuple(
        (colors or {}).get(name, fallback) for name, fallback in zip(every, default_colors(len(every)), strict=True)
    )
    return Labels(every, shown, background_index(every)), 0 if own is not None else 1


def _paint(mask: NDArray[np.uint8], shape: Any, label: int) -> None:
    """Give the pixels of an object its label. Only the box around them is looked at: there may be many objects."""
    from pycocotools import mask as coco  # slow to import

    code = _run_lengths(shape, *mask.shape)
    left, top, width, height = (int(part) for part in coco.toBbox(code))
    box = (slice(top, top + height), slice(left, left + width))
    mask[box][coco.decode(code)[box] == 1] = label


def _run_lengths(shape: Any, height: int, width: int) -> Any:
    """The pixels of an object, as pycocotools keeps them."""
    from pycocotools import mask as coco

    if isinstance(shape, dict):
        if list(shape["size"]) != [height, width]:
            raise ValueError(f"its run-length code is for {shape['size'][1]} x {shape['size'][0]} pixels")
        if not isinstance(shape["counts"], list):
            return shape
        lengths = np.asarray(shape["counts"], np.int64)
        if (lengths < 0).any() or lengths.sum() != height * width:
            raise ValueError(f"its run-length code is for {lengths.sum()} pixels")
        return coco.frPyObjects({"counts": lengths.tolist(), "size": [height, width]}, height, width)
    polygons = [[float(part) for part in polygon] for polygon in shape]
    if not np.isfinite(np.concatenate(polygons)).all():
        raise ValueError("a point that is no number")
    return coco.merge(coco.frPyObjects(polygons, height, width))
