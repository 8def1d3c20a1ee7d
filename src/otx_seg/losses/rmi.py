"""Region mutual information loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.one_hot import masked_one_hot
from otx_seg.loss_parts.precision import widened

_RADIUS = 3  # side of the square of pixels that a pixel is seen with
_NOISE = 5e-4  # added to covariances so that they can be inverted
_FLOOR = 1e-6  # of probabilities
_POOLING = ("max", "average")
_PIXELS = ("sigmoid", "softmax")


class Rmi(nn.Module):
    """A pixel loss, plus how little a prediction says about the 3x3 neighbourhoods of the truth.

    Zhao, Wang, Yang & Cai 2019, "Region mutual information loss for semantic segmentation", equations 11 to 18. For
    each label and image:

    1. Truth and probability (sigmoid) are pooled, and every pixel with its eight neighbours is a point in 9 dimensions.
    2. The covariance A of the truth that the prediction leaves unexplained: S_y - S_yp (S_p + 0.0005 I)^-1 S_yp'.
    3. The lower bound of the mutual information, log det(A + 0.0005 I) / 2, divided by 9.

    They are averaged over the images and summed over the labels. The result, half of this and half of the pixel loss,
    is no distance: **it is negative when the prediction is good** (for two labels about -7) and its zero means nothing.
    It is computed in float64, in and out of autocast, and takes an order of magnitude longer than the cross-entropy.
    """

    compares_sigmoids = True

    def __init__(
        self,
        pooling: str = "max",
        pixels: str = "sigmoid",
        pixel_share: float = 0.5,
        label_weights: Sequence[float] | None = None,
    ) -> None:
        """
        Args:
            pooling: ``max`` (3x3 at stride 3, as published) or ``average`` (4x4 at stride 4).
            pixels: the pixel loss: ``sigmoid`` (the sum over the labels of the binary cross-entropies, as published) or
                ``softmax`` (cross-entropy).
            pixel_share: its share in the result, 0..1.
            label_weights: a factor of each label's information, and of its pixels in the pixel loss, in index order.

        Raises:
            ValueError: an unknown name, or a share out of its range.
        """
        super().__init__()
        for name, value, known in (("pooling", pooling, _POOLING), ("pixels", pixels, _PIXELS)):
            if value not in known:
                raise ValueError(f"{name} must be {' or '.join(known)}, not {value!r}")
        if not 0 <= pixel_share <= 1:
            raise ValueError(f"pixel_share must be from 0 to 1, not {pixel_share}")
        self.pooling, self.pixels, self.pixel_share = pooling, pixels, pixel_share
        self.label_weights: Tensor | None
        weights = None if label_weights is None else torch.tensor(label_weights, dtype=torch.float32)
        self.register_buffer("label_weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width, from 7x7 pixels on.
            target: (B, H, W) integer, values 0..K-1 (0 and 1 if K is 1), or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, of either sign; 0 with a gradient of zeros when every pixel is ignored.

        Raises:
            ValueError: too few pixels for a neighbourhood.
        """
        with torch.autocast(logits.device.type, enabled=False):
            truth, counted = masked_one_hot(target, logits.shape[1])
            logits = widened(logits)
            losses = self.pixel_share * self._pixel_loss(logits, target, truth, counted)
            information = self._unexplained(truth, logits.sigmoid() * counted + _FLOOR)  # (B, K)
            # An image without labels explains itself.
            information = (information * counted.flatten(1).any(1, keepdim=True)).mean(0)
            if self.label_weights is not None:
                information = information * self.label_weights[-logits.shape[1] :]
            return (losses + (1 - self.pixel_share) * information.sum()).to(logits.dtype)

    def _pixel_loss(self, logits: Tensor, target: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
        number = counted.sum()
        if self.pixels == "softmax":
            labels = None if self.label_weights is None else self.label_weights.to(logits.dtype)
            total = functional.cross_entropy(logits, target.long(), labels, ignore_index=IGNORE_INDEX, reduction="sum")
            return total / number.clamp(min=1)
        weights = None if self.label_weights is None else self.label_weights.to(logits.dtype)[-logits.shape[1] :]
        weights = None if weights is None else weights.view(1, -1, 1, 1)
        of_pixels = functional.binary_cross_entropy_with_logits(
            logits, truth.to(logits.dtype), pos_weight=weights, reduction="none"
        )
        return (of_pixels * counted).sum() / (number + 1)

    def _unexplained(self, truth: Tensor, probabilities: Tensor) -> Tensor:
        """log det(A) / 2 / 9 of each image and label: float64 (B, K)."""
        y, p = self._points(truth), self._points(probabilities)
        unit = torch.eye(y.shape[2], dtype=y.dtype, device=y.device)
        covariance, shared = y @ y.mT, y @ p.mT
        left = covariance - shared @ torch.linalg.solve(p @ p.mT + _NOISE * unit, shared.mT)
        root = torch.linalg.cholesky(left + _NOISE * unit)
        return (torch.diagonal(root, dim1=-2, dim2=-1) + 1e-8).log().sum(-1) / y.shape[2]

    def _points(self, planes: Tensor) -> Tensor:
        """Each pixel with its neighbours: (B, K, H, W) -> float64 (B, K, 9, N) without their mean."""
        if self.pooling == "max":
            planes = functional.max_pool2d(planes, 3, 3, padding=1)
        else:
            planes = functional.avg_pool2d(planes, 4, 4, padding=2)
        if min(planes.shape[2:]) < _RADIUS:
            raise ValueError(
                f"RMI needs an input from 12 pixels on per side, not {tuple(planes.shape[2:])} after pooling"
            )
        squares = planes.double().unfold(2, _RADIUS, 1).unfold(3, _RADIUS, 1)
        points = squares.flatten(4).flatten(2, 3).mT
        return points - points.mean(-1, keepdim=True)
