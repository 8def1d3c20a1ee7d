"""Masks painted from the outlines of objects: polygons and run-length codes.

Objects are painted one over the other in the order in which they are given. What no object covers is background.
"""

from __future__ import annotations

import marshal
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.canvas import Canvas
from otx_seg.annotations.dataset_meta import check_labels
from otx_seg.annotations.masks import Color
from otx_seg.annotations.samples import MaskReader, Sample
from otx_seg.annotations.stored_masks import MaskContentError
from otx_seg.labels import IGNORE_INDEX, Labels, background_index, default_colors, means_background, means_ignored
from otx_seg.runtime.image_headers import open_header, read_bytes
from otx_seg.runtime.images import verify_image
from otx_seg.runtime.plain_files import shown

BACKGROUND = "background"
_FEWEST_NUMBERS = 6  # of a polygon: three points
_FEWEST_CORNERS = 64  # of the polygon that stands for an ellipse
_CORNERS_PER_ROOT = 10  # and per square root of its radius, so that it is off by less than a twentieth of a pixel
_ORDINARY_SIZE = 1 << 24  # pixels, up to which a mask is painted before its size is compared with that of the image


class Outline(NamedTuple):
    """One object.

    Attributes:
        label: its index, or 255 where its pixels are to be ignored.
        shape: polygons [[x, y, x, y, ...], ...] in pixels from the image's top left corner, or a run-length code as in
            COCO, ``{"counts": ..., "size": [height, width]}``, or one that goes along the rows of a box,
            ``{"counts": ..., "box": [left, top, width, height]}``.
    """

    label: int
    shape: Any


@dataclass(frozen=True)
class OutlinedObjects(MaskReader):
    """Paints the masks of a data set; the objects of an image are read when its mask is.

    Attributes:
        names: labels in index order.
        uncovered: index of the label of pixels that no object covers.
        pages: by the name of a sample, its size and objects, see `page`: few bytes that travel fast to other processes.
    """

    names: tuple[str, ...]
    uncovered: int
    pages: Mapping[str, bytes]

    size_advice = "correct the size of the image there, or put the image here that the outlines were drawn on"

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`, 255 for ignored.

        Raises:
            MaskContentError: an object is unusable, or the image has another size than was noted.
            DataError: the size of the image is not noted and cannot be read.
        """
        noted, objects = content_of(self.pages[sample.name])
        height, width = self._size(sample, noted)
        canvas = Canvas(height, width, self.uncovered)
        for place, (label, shape) in enumerate(objects, 1):
            try:
                canvas.paint(shape, label)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                raise MaskContentError(
                    f"{sample.mask}: {self._called(place)} in {sample.name} ({width} x {height} pixels) is "
                    f"unusable: {reason_of(error)}; correct it, or take the object out of the file"
                ) from error
        return canvas.mask()

    def _size(self, sample: Sample, noted: Sequence[int] | None) -> Sequence[int]:
        """(height, width) of the mask; that of a large one is compared with the image before there is a mask of it."""
        size = noted or verify_image(sample.image)
        if size[0] * size[1] > _ORDINARY_SIZE:
            header = open_header(read_bytes(sample.image), sample.image)
            if {*size} != {header.height, header.width}:  # a rotation by EXIF turns one of them
                self._refuse(sample, size, (header.height, header.width))
        return size

    def _refuse(self, sample: Sample, noted: Sequence[int], size: Sequence[int]) -> NoReturn:
        raise MaskContentError(
            f"{sample.mask}: says that {sample.name} has {noted[1]} x {noted[0]} pixels, the file has "
            f"{size[1]} x {size[0]}; {self.size_advice}"
        )

    def _called(self, place: int) -> str:
        """An object in messages; it may stand elsewhere in the file than in the order of painting."""
        return "the outline of an object"


class AnnotatedObjects(OutlinedObjects):
    """As `OutlinedObjects`, out of the `Region`s of annotation tools, whose sizes are those of the images."""

    size_advice = "correct the size of the image there, or put the image here that it was annotated on"

    def _size(self, sample: Sample, noted: Sequence[int] | None) -> Sequence[int]:
        size = verify_image(sample.image)
        if noted and tuple(noted) != size:
            self._refuse(sample, noted, size)
        return size

    def _called(self, place: int) -> str:
        return f"object {place}"


def page(size: Sequence[int] | None, objects: Iterable[Outline]) -> bytes:
    """What `OutlinedObjects` keeps of an image.

    Args:
        size: (height, width) in pixels, or None for that of the image file.
        objects: in the order of painting.
    """
    # Version 2 knows no references: equal pages are equal bytes.
    return marshal.dumps((list(size) if size else None, [(label, _packed(shape)) for label, shape in objects]), 2)


def content_of(page: bytes) -> tuple[list[int] | None, list[tuple[int, Any]]]:
    """The size and the objects of a page; the points of polygons are the bytes of float64."""
    size, objects = marshal.loads(page)  # made by `page` in this program
    return size, objects


def _packed(shape: Any) -> Any:
    """A shape with the points of its polygons as bytes; what is no number is kept for whoever paints to tell of."""
    try:
        if isinstance(shape, dict):
            return shape
        return [points if isinstance(points, bytes) else np.asarray(points, np.float64).tobytes() for points in shape]
    except (ValueError, TypeError, OverflowError):
        return shape


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
        if not isinstance(polygon, Sequence) or isinstance(polygon, str):
            raise ValueError(f"a polygon is {shown(polygon)}, not a list of numbers, x and y in turn")
        if len(polygon) >= _FEWEST_NUMBERS and len(polygon) % 2 == 0:
            whole.append(polygon)
        elif len(polygon) > 1:
            xs, ys = ([float(part) for part in polygon[start : len(polygon) // 2 * 2 : 2]] for start in (0, 1))
            left, top = math.floor(min(xs)), math.floor(min(ys))
            right, bottom = max(left + 1, math.ceil(max(xs))), max(top + 1, math.ceil(max(ys)))
            boxes.append(rectangle(left, top, right, bottom))
    return whole, boxes


def area_of(points: Sequence[float]) -> float:
    """Square pixels inside a polygon [x, y, x, y, ...], by the shoelace formula."""
    xs, ys = points[::2], points[1::2]
    turned = zip(xs, ys, [*xs[1:], *xs[:1]], [*ys[1:], *ys[:1]], strict=False)
    return abs(sum(x * next_y - next_x * y for x, y, next_x, next_y in turned)) / 2


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


def reason_of(error: Exception) -> str:
    """What a value of a file of annotations stumbled over."""
    return f"{shown(error.args[0])} is missing" if isinstance(error, KeyError) else str(error)


def tell_of_strays(number: int, first: str) -> str:
    """What a user should know of polygons of fewer than three points: how many, and the image with the first one."""
    if number == 1:
        return f"1 polygon has fewer than three points, in {first}: the pixels in its box are ignored"
    what = f"{number} polygons have fewer than three points, the first one in {first}"
    return f"{what}: the pixels in their boxes are ignored"


def labels_with_background(
    names: Sequence[str], where: Any, colors: Mapping[str, Color] | None = None
) -> tuple[Labels, tuple[int, ...]]:
    """Labels of objects, and the index of each name.

    Formats of objects leave out what is around them. It is the label called background, in any spelling; further
    spellings of it are the same label, and where there is none, one is put before the others. Objects called void,
    unlabeled and the like are no label: they are ignored.

    Args:
        names: in the data set's order.
        where: the file or folder they stand in, for messages.
        colors: of labels that have one.

    Returns:
        the labels; and for each of `names` its index in them, or 255.

    Raises:
        DataError: names that cannot be used, or too few or many.
    """
    own = background_index(names)
    around = BACKGROUND if own is None else names[own]
    labelled = tuple(
        name
        for index, name in enumerate(names)
        if index == own or not (means_ignored(name) or (means_background(name) and name != around))
    )
    every = labelled if own is not None else (around, *labelled)
    check_labels(every, where)
    shown = tuple(
        (colors or {}).get(name, fallback) for name, fallback in zip(every, default_colors(len(every)), strict=True)
    )
    places = {name: place for place, name in enumerate(every)}
    # What is left out is the background in another spelling, or no label.
    indices = tuple(places.get(name, places[around] if means_background(name) else IGNORE_INDEX) for name in names)
    return Labels(every, shown, background_index(every)), indices
