"""A mask on which objects are painted: polygons, run-length codes and the coded pixels of annotation tools.

Polygons are filled by COCO's own tools: a pixel belongs to a polygon that covers its centre, more or less. These tools
take memory and time for each pixel that an outline passes, inside the image or not, and crash on numbers that are too
large. So every number is looked at before they see it.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from otx_seg.annotations.bitmaps import brush_pixels, png_pixels
from otx_seg.annotations.run_lengths import run_lengths
from otx_seg.runtime.plain_files import number, shown

FAR_OUTSIDE = 10
"""An outline may reach so many sides of the image beyond it: people draw over the border, no one draws further."""

_LARGEST_COORDINATE = 1e8  # in pixels; five times that still is a number of 32 bits, with which COCO's tools work
_LONGEST_OUTLINE = 5_000_000  # in pixels, of one polygon: 200 MB in COCO's tools
_MOST_WORK = 8.0  # seconds of a processor, for all objects of an image
# What things cost, in seconds, measured generously.
_PER_OBJECT, _PER_OUTLINE_PIXEL, _PER_PAINTED_PIXEL, _PER_BOX_PIXEL = 4e-5, 1.6e-7, 4e-11, 4e-9
_PER_CODED_PIXEL = 5e-9  # that are unpacked
_PIXELS_PER_RUN = 200  # looked at one by one in the time that painting one run takes


class Canvas:
    """The mask of one image while its objects are painted, one over the other.

    Args:
        height, width: of the image, in pixels.
        uncovered: the value of what no object covers.
    """

    def __init__(self, height: int, width: int, uncovered: int) -> None:
        self.height, self.width = height, width
        self._columns = np.full(height * width, uncovered, np.uint8)  # one column after the other, as COCO counts
        self._work = 0.0

    def mask(self) -> NDArray[np.uint8]:
        """What has been painted, uint8 (H, W)."""
        return np.asarray(cv2.transpose(self._columns.reshape(self.width, self.height)), np.uint8)

    def paint(self, shape: Any, label: int) -> None:
        """Give the pixels of an object its label.

        Args:
            shape: see `otx_seg.annotations.polygons.Outline`, or of annotation tools
                `otx_seg.formats.layouts.annotated_images.Region`.
            label: the value of its pixels.

        Raises:
            ValueError, TypeError, KeyError, OverflowError: the shape is unusable.
        """
        self.count_work(_PER_OBJECT)
        if not isinstance(shape, dict):
            for polygon in shape:
                self._paint_runs(self._runs_of(polygon), label)
        elif "box" in shape:
            self._paint_box(shape, label)
        elif "outline" in shape:
            self._paint_with_border(shape, label)
        elif "brush" in shape:
            self.count_work(_PER_CODED_PIXEL * self.height * self.width)
            self.paint_pixels(brush_pixels(shape["brush"], (self.height, self.width)), 0, 0, label)
        elif "png" in shape:
            pixels = png_pixels(shape["png"], (self.height, self.width), bool(shape.get("deflated")))
            self.count_work(_PER_CODED_PIXEL * pixels.size)
            self.paint_pixels(pixels, shape["left"], shape["top"], label)
        else:
            self._check_size(shape["size"])
            self._paint_runs(run_lengths(shape["counts"], self.height * self.width), label)

    def _check_size(self, size: Any) -> None:
        if not isinstance(size, list) or len(size) != 2:
            raise ValueError(f"the size of its run-length code is {shown(size)}")
        if size != [self.height, self.width]:
            raise ValueError(f"its run-length code is for {shown(size[1])} x {shown(size[0])} pixels")

    def _runs_of(self, polygon: Any) -> NDArray[np.int64]:
        from pycocotools import mask as coco  # slow to import

        if not isinstance(polygon, bytes):  # something in it is no number, see `page`
            polygon = np.array(
                [number(part, -_LARGEST_COORDINATE, _LARGEST_COORDINATE, "a coordinate") for part in polygon]
            )
        points = np.frombuffer(polygon)
        if points.ndim != 1 or points.size % 2:
            raise ValueError("a polygon is a list of numbers, x and y in turn")
        self.check_reach(points)
        code = coco.frPyObjects([points], self.height, self.width)[0]
        return run_lengths(code["counts"].decode(), self.height * self.width)

    def check_reach(self, points: NDArray[np.float64]) -> None:
        """Raises ValueError if a polygon, [x, y, x, y, ...], reaches too far, or takes too much work."""
        if not np.isfinite(points).all():
            raise ValueError("a point that is no number")
        reach = FAR_OUTSIDE * max(self.height, self.width)
        corners = points.reshape(-1, 2)
        outside = np.maximum(-corners, corners - (self.width, self.height))
        if outside.max() > reach or np.abs(points).max() > _LARGEST_COORDINATE:
            x, y = corners[outside.max(axis=1).argmax()]
            raise ValueError(f"the point ({x:g}, {y:g}) lies far outside of the image")
        length = float(np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1).sum())
        if length > _LONGEST_OUTLINE:
            raise ValueError(f"an outline of {length:,.0f} pixels is too long for one image")
        self.count_work(_PER_OUTLINE_PIXEL * length)

    def _paint_runs(self, lengths: NDArray[np.int64], label: int) -> None:
        self.count_work(_PER_PAINTED_PIXEL * int(lengths[1::2].sum()))
        ends = np.cumsum(lengths)
        starts, stops = ends[: len(ends) // 2 * 2 : 2], ends[1::2]
        if not starts.size:
            return
        first, last = int(starts[0]), int(stops[-1])
        if starts.size * _PIXELS_PER_RUN < last - first:
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
                self._columns[start:stop] = label
            return
        inside = np.repeat(np.arange(2 * starts.size - 1) % 2 == 0, lengths[1 : 2 * starts.size])
        np.copyto(self._columns[first:last], label, where=inside)

    def _paint_box(self, shape: dict[str, Any], label: int) -> None:
        """By a run-length code that goes along the rows of a box in the image."""
        left, top, width, height = shape["box"]
        if not (0 <= left < left + width <= self.width and 0 <= top < top + height <= self.height):
            raise ValueError(f"its mask of {width} x {height} pixels at ({left}, {top}) leaves the image")
        lengths = run_lengths(shape["counts"], width * height)
        inside = np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(height, width)
        self.paint_pixels(inside, left, top, label)

    def _paint_with_border(self, shape: dict[str, Any], label: int) -> None:
        """A polygon whose points name pixels, and whose border belongs to it, in the box around it.

        Supervisely fills it by OpenCV, labelme by Pillow, which differ in single pixels along slanted sides.
        """
        for polygon in (shape["outline"], *shape["holes"]):
            self.check_reach(np.asarray(polygon))
        outline, *holes = (
            np.floor(polygon).astype(np.int32).reshape(-1, 2) for polygon in (shape["outline"], *shape["holes"])
        )
        corner = outline.min(axis=0).clip(0)
        width, height = np.maximum(outline.max(axis=0).clip(None, (self.width - 1, self.height - 1)) - corner + 1, 0)
        if not width or not height:
            return
        inside = _FILLED_BY[shape["filled_by"]](outline - corner, height, width)
        for hole in holes:
            inside[_by_opencv(hole - corner, height, width)] = False
        self.paint_pixels(inside, int(corner[0]), int(corner[1]), label)

    def paint_pixels(self, inside: NDArray[np.bool_], left: int, top: int, label: int) -> None:
        """Give pixels their label: those of (h, w) that are True, of which the first lies at (left, top).

        What reaches beyond the image is cut off.
        """
        inside = inside[max(0, -top) : max(0, self.height - top), max(0, -left) : max(0, self.width - left)]
        height, width = inside.shape
        self.count_work(_PER_BOX_PIXEL * inside.size)
        columns = self._columns.reshape(self.width, self.height)[max(0, left) :, max(0, top) :][:width, :height]
        columns[inside.T] = label

    def count_work(self, seconds: float) -> None:
        """Raises ValueError if painting the objects so far took longer than any image should."""
        self._work += seconds
        if self._work > _MOST_WORK:
            raise ValueError("the objects are too many, and too large, for one image")


def _by_opencv(points: NDArray[np.int32], height: int, width: int) -> NDArray[np.bool_]:
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [points], 1)
    return inside.view(bool)


def _by_pillow(points: NDArray[np.int32], height: int, width: int) -> NDArray[np.bool_]:
    picture = Image.new("L", (int(width), int(height)))
    ImageDraw.Draw(picture).polygon(points.reshape(-1).tolist(), fill=1, outline=1)
    return np.array(picture).view(bool)


_FILLED_BY = {"OpenCV": _by_opencv, "Pillow": _by_pillow}
