"""Soft Dice loss over several labels.

Formula: Milletari, Navab, Ahmadi, "V-Net", 3DV 2016 (https://arxiv.org/abs/1606.04797), equation 3 without the
squares in the denominator, per label, sums over all pixels of the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otx_seg.labels import IGNORE_INDEX


class Dice(nn.Module):
    """1 - mean over labels of 2 sum(p t) / (sum(p) + sum(t)), p the softmax and t the one-hot truth.

    Only labels that occur in the truth of the batch enter the mean: for any other label the fraction is 0 whatever the
    network answers, so it would add a constant.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            float32 scalar in 0..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        valid = target != IGNORE_INDEX
        probabilities = logits.float().softmax(dim=1) * valid.unsqueeze(1)
        labels = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
        truth = target.unsqueeze(1) == labels  # (B, K, H, W) bool; 255 equals no label
        agreed = (probabilities * truth).sum(dim=(0, 2, 3))
        predicted = probabilities.sum(dim=(0, 2, 3))
        true = truth.sum(dim=(0, 2, 3)).to(predicted.dtype)  # (K,)
        present = true > 0
        # An absent label divides by 1 instead of a sum that may be 0, and is then masked out: no NaN in the gradient.
        distance = 1 - 2 * agreed / (predicted + true).where(present, torch.ones_like(true))
        return (distance * present).sum() / present.sum().clamp(min=1)
