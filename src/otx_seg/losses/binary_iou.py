"""Soft IoU (Jaccard) loss of a sigmoid."""

from __future__ import annotations

from torch import Tensor, nn

from otx_seg.loss_parts.overlap import overlap


class BinaryIou(nn.Module):
    """1 - (sum(p t) + s) / (sum(p) + sum(t) - sum(p t) + s), with p the sigmoid of one channel and two labels.

    The sums go over the labelled pixels of the whole batch.
    """

    is_binary = compares_sigmoids = True

    def __init__(self, smooth: float = 1.0) -> None:
        """
        Args:
            smooth: s, in pixels, above 0, so that no pixel of label 1 is right if there is none.

        Raises:
            ValueError: s is not above 0.
        """
        super().__init__()
        if smooth <= 0:
            raise ValueError(f"smooth must be above 0, not {smooth}")
        self.smooth = smooth

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, 1, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, 0, 1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, 0..1; 0 with a gradient of zeros when every pixel is ignored.
        """
        return (1 - overlap(logits, target).iou(self.smooth)).sum()
