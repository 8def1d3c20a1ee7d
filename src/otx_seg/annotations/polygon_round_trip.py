"""Masks turned into polygons and filled again, the way the original toolkit prepared its ground truth.

OTX 1.x stored annotations as polygons unless told otherwise, which fills holes and drops regions without area.
Sending the masks through the same steps makes scores comparable with the ones it published.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from otx_seg.labels import IGNORE_INDEX, Labels

_MIN_AREA = 1.0  # square pixels, of the polygon through the centres of the border pixels
_MIN_POINTS = 3


def polygon_round_trip(mask: NDArray[np.uint8], labels: Labels) -> NDArray[np.uint8]:
    """The mask after tracing every region as a polygon and filling the polygons again.

    1. For each label but the background, in index order: trace the outer borders of its regions.
    2. Keep borders of more than two points that enclose at least one square pixel; holes are not kept.
    3. Fill them over what was filled before.
    4. Pixels that no polygon covers are background, or ignored when the labels have no background.

    Pixels ignored in `mask` stay ignored.

    Args:
        mask: uint8 (H, W), label indices, 255 for ignored.
        labels: the labels of the data set.

    Returns:
        uint8 (H, W), as `mask`.
    """
    uncovered = IGNORE_INDEX if labels.background is None else labels.background
    filled = np.full(mask.shape, uncovered, np.uint8)
    for index in np.unique(mask).tolist():
        if index in (IGNORE_INDEX, labels.background):
            continue
        cv2.drawContours(filled, _outer_borders(mask == index), -1, color=index, thickness=cv2.FILLED)
    filled[mask == IGNORE_INDEX] = IGNORE_INDEX
    return filled


def _outer_borders(region: NDArray[np.bool_]) -> list[NDArray[np.int32]]:
    borders, hierarchy = cv2.findContours(region.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [
        border
        for border, (_, _, _, parent) in zip(borders, hierarchy[0], strict=True)
        if parent < 0 and len(border) >= _MIN_POINTS and cv2.contourArea(border) >= _MIN_AREA
    ]
