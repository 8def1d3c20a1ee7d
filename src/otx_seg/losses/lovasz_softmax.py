"""Lovász-Softmax loss: a convex stand-in for the IoU itself."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.precision import widened


class LovaszSoftmax(nn.Module):
    """The mean over the labels of the Lovász extension of 1 - IoU, at the errors of the softmax.

    Berman, Rannen Triki & Blaschko 2018, "The Lovász-Softmax loss", equation 11 and algorithm 1, over all labelled
    pixels of the batch and the labels that it has. Sorting makes it slower than the others.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, 0..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        probabilities = widened(logits).softmax(dim=1).movedim(1, -1)
        counted = target != IGNORE_INDEX
        labelled, labels = probabilities[counted], target[counted].long()
        terms = [0 * probabilities.sum()]
        present = labels.unique().tolist()
        for label in present:
            truth = (labels == label).to(labelled.dtype)
            errors, order = (truth - labelled[:, label]).abs().sort(descending=True)
            terms.append((errors * _gradient(truth[order])).sum())
        return torch.stack(terms).sum() / max(1, len(present))


def _gradient(truth: Tensor) -> Tensor:
    """How much 1 - IoU grows with each pixel (P,) that is wrong as well, from the largest error down."""
    missed, wrong = truth.cumsum(0, dtype=torch.float64), (1 - truth).cumsum(0, dtype=torch.float64)
    loss = 1 - (truth.sum() - missed) / (truth.sum() + wrong)
    return loss.diff(prepend=loss.new_zeros(1)).to(truth.dtype)
