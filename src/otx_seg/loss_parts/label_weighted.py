"""Cross-entropies of pixels that count by their label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX
from otx_seg.loss_parts.precision import widened


class LabelWeighted(nn.Module):
    """A loss with a weight for each label.

    Args:
        label_weights: above 0, in index order; see `otx_seg.class_weights`.
    """

    def __init__(self, label_weights: Sequence[float]) -> None:
        super().__init__()
        self.label_weights: Tensor
        # Not persistent: it follows from the data, and a state dict holds what was learned.
        self.register_buffer("label_weights", torch.tensor(label_weights, dtype=torch.float32), persistent=False)

    def cross_entropies(
        self, logits: Tensor, target: Tensor, weighted: bool = True, label_smoothing: float = 0.0
    ) -> Tensor:
        """-w log softmax(logits)[true label] of each pixel.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.
            weighted: whether w is the weight of the true label; else it is 1.
            label_smoothing: the share of each pixel that is spread evenly over all labels, 0..1.

        Returns:
            (B, H, W) >= 0, natural logarithm; 0 where a pixel does not count.
        """
        logits = widened(logits)
        weights = self.label_weights.to(logits.dtype) if weighted else None
        return functional.cross_entropy(
            logits,
            target.long(),
            weights,
            ignore_index=IGNORE_INDEX,
            reduction="none",
            label_smoothing=label_smoothing,
        )


def mean_of_labelled(losses: Tensor, target: Tensor) -> Tensor:
    """The mean over the pixels that count, of losses (B, H, W) that are 0 elsewhere; 0 where no pixel counts."""
    return losses.sum() / (target != IGNORE_INDEX).sum().clamp(min=1)
