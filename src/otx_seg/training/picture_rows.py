"""Pictures that show a training learn: what the network makes of the same validation images at each improvement.

- ``truth.jpg`` has the images in a row, and their ground truth in a row below;
- ``0000120.jpg`` has the predictions after step 120 in a row.

All tiles have the same size, so that rows can be stacked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.inference.pictures import Picture
from otx_seg.runtime.result_files import write_picture
from otx_seg.training.loggers import Logger, ValidationReport

TRUTH = "truth.jpg"

MOST_ROWS = 12
"""Rows of predictions that are kept, the first and the last among them."""

_HEIGHT = 192  # pixels of a tile
_WIDTHS = (_HEIGHT // 2, 2 * _HEIGHT)
_GAP = 4  # pixels around a tile
_EMPTY = 255


class PictureRows(Logger):
    """Writes them to a folder, which is made with the first; no picture is written without validation images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_begin(self, step: int) -> None:
        """Drop the rows after `step`."""
        for later, row in prediction_rows(self.folder).items():
            if later > step:
                row.unlink()

    def on_validation(self, report: ValidationReport) -> None:
        pictures = report.pictures()
        if not pictures:
            return
        images, truths, predictions = zip(*(picture.drawn() for picture in pictures), strict=True)
        width = _tile_width(pictures)
        if not (self.folder / TRUTH).exists():
            write_picture(self.folder / TRUTH, np.vstack((_row(images, width), _row(truths, width))))
        write_picture(self.folder / f"{report.step:07d}.jpg", _row(predictions, width))
        self._thin_out()

    def _thin_out(self) -> None:
        """Delete the row whose neighbours are closest to each other, where there are too many."""
        rows = prediction_rows(self.folder)
        if len(rows) > MOST_ROWS:
            steps = list(rows)
            gaps = {at: after - before for before, at, after in zip(steps, steps[1:], steps[2:], strict=False)}
            rows[min(gaps, key=lambda at: gaps[at])].unlink()


def prediction_rows(folder: Path) -> dict[int, Path]:
    """The rows of predictions in a folder, which may be missing, by their step, in its order."""
    return dict(sorted((int(path.stem), path) for path in folder.glob("*.jpg") if path.stem.isdecimal()))


def _tile_width(pictures: Sequence[Picture]) -> int:
    """Pixels: for the usual shape of these images."""
    shapes = [picture.image.shape for picture in pictures]
    usual = round(_HEIGHT * median(width / height for height, width, _ in shapes))
    return min(max(usual, _WIDTHS[0]), _WIDTHS[1])


def _row(drawn: Iterable[NDArray[np.uint8]], width: int) -> NDArray[np.uint8]:
    """Pictures, each uint8 (h, w, 3), side by side."""
    return np.hstack([_tile(pixels, width) for pixels in drawn])


def _tile(pixels: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """A picture as large as a tile holds it, in its middle."""
    height_before, width_before = pixels.shape[:2]
    scale = min(_HEIGHT / height_before, width / width_before)
    size = (max(1, round(width_before * scale)), max(1, round(height_before * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    tile = np.full((_HEIGHT + 2 * _GAP, width + 2 * _GAP, 3), _EMPTY, np.uint8)
    top, left = (tile.shape[0] - size[1]) // 2, (tile.shape[1] - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = cv2.resize(pixels, size, interpolation=way)
    return tile
