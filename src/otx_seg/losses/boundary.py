"""Boundary loss: pixels count by their distance from the border of their label."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.precision import widened


class Boundary(nn.Module):
    """Mean over labelled pixels and labels of d p, with p the probability and d the distance to the label's border.

    Kervadec et al. 2019, "Boundary loss for highly unbalanced segmentation", equation 5. d is negative inside the
    label; it is measured in shares of the image's diagonal, so that the weight of the loss does not depend on the size
    of the input. A label that an image lacks does not count in it.

    Far from a border it says little about where the label is: use it beside another loss, such as Dice. It is negative
    when good.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, -1..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        probabilities = widened(logits).softmax(dim=1)
        labels = probabilities.shape[1]
        distances = np.stack([_distances(mask, labels) for mask in target.cpu().numpy()])
        counted = (target != IGNORE_INDEX)[:, None]
        signed = torch.from_numpy(distances).to(logits.device)
        return (signed * probabilities * counted).sum() / (counted.sum() * labels).clamp(min=1)


def _distances(mask: np.ndarray, labels: int) -> np.ndarray:
    """Signed distances (K, H, W) float32 in shares of the diagonal; 0 where the image lacks the label."""
    planes = np.zeros((labels, *mask.shape), np.float32)
    for label in range(labels):
        inside = mask == label
        if inside.any():
            planes[label] = _to_nearest(inside) - _to_nearest(~inside)
    return planes / np.float32(np.hypot(*mask.shape))


def _to_nearest(pixels: np.ndarray) -> np.ndarray:
    """How far every pixel is from the nearest of these, in pixels less a half; 0 at these, or if there are none."""
    if not pixels.any():
        return np.zeros(pixels.shape, np.float32)
    distance = cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.where(pixels, 0, distance - 0.5).astype(np.float32)
