"""Soft Dice loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX


class Dice(nn.Module):
    """1 - the mean over the labels of 2 sum(p t) / (sum(p^2) + sum(t^2)), with p the probability and t the truth.

    Milletari, Navab & Ahmadi 2016, "V-Net". The sums go over the labelled pixels of the whole batch, so that a label
    of a few images is not lost. Labels that no pixel of the batch has are left out of the mean: their term would be 1
    whatever the network says.
    """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            float32 scalar, 0..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        counted = target != IGNORE_INDEX
        probabilities = logits.float().softmax(dim=1) * counted[:, None]
        truth = functional.one_hot(target.long().masked_fill(~counted, 0), logits.shape[1]).movedim(-1, 1)
        truth = truth * counted[:, None]  # (B, K, H, W)
        pixels = truth.sum(dim=(0, 2, 3))
        overlap = (probabilities * truth).sum(dim=(0, 2, 3))
        # Where t is 0 or 1, sum(t^2) is the number of pixels; at least 1 keeps absent labels from dividing by 0.
        dice = 2 * overlap / (probabilities.square().sum(dim=(0, 2, 3)) + pixels.clamp(min=1))
        present = pixels > 0
        return ((1 - dice) * present).sum() / present.sum().clamp(min=1)
