"""Masks painted from the regions of an annotation tool: outlines, coded pixels, and polygons as the tool paints them.

The points of such a polygon name pixels, and the pixels on its border belong to it. Supervisely fills it by OpenCV,
labelme by Pillow, which differ in single pixels along slanted sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from otx_seg.annotations.bitmaps import brush_pixels, png_pixels
from otx_seg.annotations.canvas import Canvas
from otx_seg.annotations.polygons import OutlinedObjects
from otx_seg.annotations.samples import Sample
from otx_seg.runtime.images import verify_image

_PER_CODED_PIXEL = 5e-9  # seconds that unpacking takes


@dataclass(frozen=True)
class AnnotatedObjects(OutlinedObjects):
    """Paints the masks of a data set out of `Region`s."""

    size_advice = "correct the size of the image there, or put the image here that it was annotated on"

    def _size(self, sample: Sample, noted: Sequence[int] | None) -> Sequence[int]:
        size = verify_image(sample.image)
        if noted and tuple(noted) != size:
            self._refuse(sample, noted, size)
        return size

    def _called(self, place: int) -> str:
        return f"object {place}"

    def _paint(self, canvas: Canvas, shape: Any, label: int) -> None:
        size = canvas.height, canvas.width
        if not isinstance(shape, dict) or "counts" in shape:
            canvas.paint(shape, label)
        elif "brush" in shape:
            canvas.count_work(_PER_CODED_PIXEL * size[0] * size[1])
            canvas.paint_pixels(brush_pixels(shape["brush"], size), 0, 0, label)
        elif "png" in shape:
            pixels = png_pixels(shape["png"], size, bool(shape.get("deflated")))
            canvas.count_work(_PER_CODED_PIXEL * pixels.size)
            canvas.paint_pixels(pixels, shape["left"], shape["top"], label)
        else:
            _paint_with_border(canvas, shape, label)


def _paint_with_border(canvas: Canvas, shape: dict[str, Any], label: int) -> None:
    """A polygon whose points are pixels, and that includes those on its border, in the box around it."""
    for polygon in (shape["outline"], *shape["holes"]):
        canvas.check_reach(np.asarray(polygon))
    outline, *holes = (
        np.floor(polygon).astype(np.int32).reshape(-1, 2) for polygon in (shape["outline"], *shape["holes"])
    )
    corner = outline.min(axis=0).clip(0)
    width, height = np.maximum(outline.max(axis=0).clip(None, (canvas.width - 1, canvas.height - 1)) - corner + 1, 0)
    if not width or not height:
        return
    inside = _FILLED_BY[shape["filled_by"]](outline - corner, height, width)
    for hole in holes:
        inside[_by_opencv(hole - corner, height, width)] = False
    canvas.paint_pixels(inside, int(corner[0]), int(corner[1]), label)


def _by_opencv(points: NDArray[np.int32], height: int, width: int) -> NDArray[np.bool_]:
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [points], 1)
    return inside.view(bool)


def _by_pillow(points: NDArray[np.int32], height: int, width: int) -> NDArray[np.bool_]:
    picture = Image.new("L", (int(width), int(height)))
    ImageDraw.Draw(picture).polygon(points.reshape(-1).tolist(), fill=1, outline=1)
    return np.array(picture).view(bool)


_FILLED_BY = {"OpenCV": _by_opencv, "Pillow": _by_pillow}
