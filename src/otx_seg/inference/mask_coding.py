"""What the pixels of a written mask hold: label indices, colours, or the values of the training data's masks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.inference.predict_settings import MaskValues
from otx_seg.labels import Labels, MaskValue


class MaskCoding:
    """From label indices to what is written."""

    def __init__(self, labels: Labels, values: MaskValues) -> None:
        """
        Args:
            values: ``index``; ``color``, the labels' colours in overlays; ``original``, what the mask files of the
                training data held.

        Raises:
            UsageError: the model does not tell what these held.
        """
        written: tuple[MaskValue, ...] | None = tuple(range(len(labels)))
        if values == "color":
            written = labels.shown_colors
        elif values == "original":
            written = labels.mask_values
        if written is None:
            raise UsageError(
                "--mask-values original: the model does not tell what the masks of its training data held: they were "
                "not one file for each image (but outlines of objects, for example), or an earlier version or another "
                "tool made it. Choose --mask-values index, the places of the labels in label_schema.json, or color; or "
                "train again with mask files"
            )
        self._is_index = values == "index"
        largest = np.max(written)
        self._table = np.array(written, np.uint8 if largest < 256 else np.uint16)

    def __call__(self, mask: NDArray[np.uint8]) -> NDArray[Any]:
        """What is written, uint8 or uint16 (H, W), or uint8 (H, W, 3) RGB, of label indices (H, W)."""
        if self._is_index:
            return mask
        if self._table.dtype == np.uint16:
            return np.asarray(self._table[mask])
        table = np.zeros((256, *self._table.shape[1:]), np.uint8)
        table[: len(self._table)] = self._table
        if table.ndim == 1:
            return np.asarray(cv2.LUT(mask, table))
        # Without another array of the mask's size for each channel.
        return np.asarray(cv2.applyColorMap(mask, table[:, None]))
