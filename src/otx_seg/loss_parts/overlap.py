"""Counts of pixels with probabilities in place of decisions, from which Dice, IoU and Tversky losses are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from otx_seg.loss_parts.one_hot import masked_one_hot
from otx_seg.loss_parts.precision import widened

SMALLEST = 1e-7
"""What sums of probabilities are divided by where they are 0."""

_PIXELS = (0, 2, 3)


class Overlap(NamedTuple):
    """Sums over the labelled pixels of a batch, (K,) each, with p the probability and t the truth, 0 or 1.

    Attributes:
        both: sum of p t.
        predicted: sum of p, or of p^2.
        true: sum of t, the number of pixels with the label.
    """

    both: Tensor
    predicted: Tensor
    true: Tensor

    def dice(self, smooth: float) -> Tensor:
        """(2 both + s) / (predicted + true + s) of each label, (K,)."""
        return (2 * self.both + smooth) / (self.predicted + self.true + smooth).clamp(min=SMALLEST)

    def iou(self, smooth: float) -> Tensor:
        """(both + s) / (predicted + true - both + s) of each label, (K,)."""
        return (self.both + smooth) / (self.predicted + self.true - self.both + smooth).clamp(min=SMALLEST)


def overlap(logits: Tensor, mask: Tensor, squared: bool = False) -> Overlap:
    """
    Args:
        logits: (B, K, H, W) floating point of any width; probabilities are their softmax, or with K = 1, where the only
            label is 1, their sigmoid, in float32 at least.
        mask: (B, H, W) integer, values 0..K-1 (0 and 1 if K = 1), or 255 where a pixel does not count.
        squared: whether `Overlap.predicted` sums the squares.
    """
    truth, counted = masked_one_hot(mask, logits.shape[1])
    scores = widened(logits)
    probabilities = (scores.sigmoid() if logits.shape[1] == 1 else scores.softmax(dim=1)) * counted
    predicted = probabilities.square() if squared else probabilities
    return Overlap((probabilities * truth).sum(_PIXELS), predicted.sum(_PIXELS), truth.sum(_PIXELS))


class MeanOverLabels:
    """The mean of 1 - agreement over the labels of a batch.

    Args:
        absent: whether labels that no pixel of the batch has belong to the mean; else they are left out.
        background: whether label 0 belongs to it.
        label_weights: a factor of each label's term, in index order; None: 1.
    """

    def __init__(self, absent: bool, background: bool, label_weights: Sequence[float] | None) -> None:
        self.absent = absent
        self.first = 0 if background else 1
        self.weights = None if label_weights is None else torch.tensor(label_weights, dtype=torch.float32)

    def __call__(self, agreement: Tensor, true: Tensor) -> Tensor:
        """
        Args:
            agreement: (K,), 1 where prediction and truth are the same.
            true: (K,), the number of pixels with each label.

        Returns:
            Scalar; 0 with a gradient of zeros where no pixel is labelled.

        Raises:
            ValueError: the background is left out, and there is no other label.
        """
        if len(agreement) <= self.first:
            raise ValueError(f"without background there is no label left of {len(agreement)}")
        terms = 1 - agreement if self.weights is None else (1 - agreement) * self.weights.to(agreement)
        counted = true > 0
        if self.absent:
            counted = counted.any().expand_as(true)
        terms, counted = terms[self.first :], counted[self.first :]
        return terms.where(counted, 0 * terms).sum() / counted.sum().clamp(min=1)
