"""Masks painted from the regions of an annotation tool: outlines, outlines with holes, and coded pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.bitmaps import brush_pixels, png_pixels
from otx_seg.datasets.canvas import Canvas
from otx_seg.datasets.masks import MaskContentError
from otx_seg.datasets.outlines import Outline, OutlinedObjects, content_of, page
from otx_seg.datasets.samples import Sample
from otx_seg.runtime.images import verify_image

_SIZE_ADVICE = "correct the size of the image there, or put the image here that it was annotated on"


@dataclass(frozen=True)
class AnnotatedObjects:
    """Paints the masks of a data set out of `Region`s; see `OutlinedObjects`, whose attributes are the same."""

    names: tuple[str, ...]
    uncovered: int
    pages: Mapping[str, bytes]
    void: tuple[str, ...] = ()
    size_advice: str = _SIZE_ADVICE

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """uint8 (H, W): indices of `names`, 255 for ignored.

        Raises:
            MaskContentError: a region is unusable, or the image has another size than was noted.
            DataError: the image cannot be read.
        """
        noted_size, described = content_of(self.pages[sample.name])
        size = verify_image(sample.image)
        noted = tuple(noted_size or size)
        if noted != size:
            raise MaskContentError(
                f"{sample.mask}: says that {sample.name} has {noted[1]} x {noted[0]} pixels, it has {size[1]} x "
                f"{size[0]}; {self.size_advice}"
            )
        objects = []
        for place, (label, shape) in enumerate(described, 1):
            try:
                objects.append(Outline(label, _decoded(shape, size)))
            except ValueError as error:
                raise MaskContentError(f"{sample.mask}: object {place} in {sample.name}: {error}") from error
        painter = OutlinedObjects(self.names, self.uncovered, {sample.name: page(size, objects)})
        return painter.read(sample)

    def verify(self, sample: Sample) -> None:
        """Nothing more can be damaged than what `read` tells of."""


def _decoded(shape: Any, size: tuple[int, int]) -> Any:
    """A shape as `Outline` has it."""
    if not isinstance(shape, dict):
        return shape
    from pycocotools import mask as coco  # slow to import

    if "brush" in shape:
        covered = brush_pixels(shape["brush"], size)
    elif "png" in shape:
        covered = _placed(png_pixels(shape["png"], size, bool(shape.get("deflated"))), shape, size)
    else:
        covered = _filled([shape["outline"]], size) & ~_filled(shape["holes"], size)
    code = coco.encode(np.asfortranarray(covered, np.uint8))
    return {"counts": code["counts"].decode(), "size": list(size)}


def _placed(pixels: NDArray[np.bool_], corner: Mapping[str, int], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels of an object in an image of (height, width) pixels; what reaches beyond it is cut off."""
    covered = np.zeros(size, bool)
    left, top = corner["left"], corner["top"]
    inside = pixels[max(0, -top) : max(0, size[0] - top), max(0, -left) : max(0, size[1] - left)]
    height, width = inside.shape
    covered[max(0, top) : max(0, top) + height, max(0, left) : max(0, left) + width] = inside
    return covered


def _filled(polygons: list[list[float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """What `OutlinedObjects` covers with polygons."""
    canvas = Canvas(*size, 0)
    canvas.paint(polygons, 1)
    return canvas.mask() == 1
