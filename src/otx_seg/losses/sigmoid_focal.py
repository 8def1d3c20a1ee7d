"""Focal loss of one sigmoid per label."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from otx_seg.loss_parts.one_hot import masked_one_hot
from otx_seg.loss_parts.precision import widened


class SigmoidFocal(nn.Module):
    """Mean over labelled pixels and labels of -a (1 - p)^gamma log p, with p the probability of what is true.

    Lin et al. 2017, "Focal loss for dense object detection", equation 5: each label is found or not, whatever the
    others say. a is `alpha` where the label is there and 1 - `alpha` where it is not. One channel compares with label
    1 of two.
    """

    compares_sigmoids = True

    def __init__(self, gamma: float = 2.0, alpha: float = 0.25) -> None:
        """
        Args:
            gamma: 0 or more.
            alpha: 0..1.

        Raises:
            ValueError: a number is out of its range.
        """
        super().__init__()
        if gamma < 0:
            raise ValueError(f"gamma must be 0 or more, not {gamma}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be from 0 to 1, not {alpha}")
        self.gamma, self.alpha = gamma, alpha

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1 (0 and 1 if K is 1), or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0; 0 with a gradient of zeros when every pixel is ignored.
        """
        channels = logits.shape[1]
        truth, counted = masked_one_hot(target, channels)
        signed = widened(logits) * (2 * truth - 1)  # above 0 where the network is right
        log_p, log_rest = functional.logsigmoid(signed), functional.logsigmoid(-signed)
        alpha = self.alpha * truth + (1 - self.alpha) * (1 - truth)
        losses = -alpha * (self.gamma * log_rest).exp() * log_p * counted
        return losses.sum() / (counted.sum().clamp(min=1) * channels)
