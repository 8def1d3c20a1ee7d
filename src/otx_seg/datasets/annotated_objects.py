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
from otx_seg.datasets.outlines import content_of, reason_of
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
        canvas = Canvas(*size, self.uncovered)
        for place, (label, shape) in enumerate(described, 1):
            try:
                canvas.paint(_decoded(shape, size), label)
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                raise MaskContentError(
                    f"{sample.mask}: object {place} in {sample.name} ({size[1]} x {size[0]} pixels) is unusable: "
                    f"{reason_of(error)}; correct it, or take the object out of the file"
                ) from error
        return canvas.mask()

    def verify(self, sample: Sample) -> None:
        """Nothing more can be damaged than what `read` tells of."""


def _decoded(shape: Any, size: tuple[int, int]) -> Any:
    """A shape as `Canvas` paints it."""
    if not isinstance(shape, dict) or "counts" in shape:
        return shape
    if "brush" in shape:
        return _code(brush_pixels(shape["brush"], size), 0, 0)
    if "png" in shape:
        pixels = png_pixels(shape["png"], size, bool(shape.get("deflated")))
        left, top = shape["left"], shape["top"]
        # What reaches beyond the image is cut off.
        inside = pixels[max(0, -top) : max(0, size[0] - top), max(0, -left) : max(0, size[1] - left)]
        return _code(inside, max(0, left), max(0, top))
    return _code(_filled([shape["outline"]], size) & ~_filled(shape["holes"], size), 0, 0)


def _code(pixels: NDArray[np.bool_], left: int, top: int) -> Any:
    """Pixels (H, W) as a run-length code of `Outline`, from a corner in the image; only the box around them counts."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return []
    inside = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = inside.shape
    changes = np.flatnonzero(np.diff(inside.reshape(-1), prepend=False))
    counts = np.diff(changes, prepend=0, append=inside.size)
    return {"counts": counts, "box": [left + int(columns[0]), top + int(rows[0]), width, height]}


def _filled(polygons: list[list[float]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """What polygons cover in an image of (height, width) pixels."""
    canvas = Canvas(*size, 0)
    canvas.paint(polygons, 1)
    return canvas.mask() == 1
