"""Cross-entropy in which the pixels at edges count more."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from otx_seg.loss_parts.label_weighted import LabelWeighted, mean_of_labelled
from otx_seg.targets.edges import Edges


class EdgeCrossEntropy(LabelWeighted):
    """(1 - e) times the mean cross-entropy of the labelled pixels, plus e times that of those at edges between labels.

    The mask attention loss of super-gradients.
    """

    def __init__(self, label_weights: Sequence[float], width: int = 3, edge_share: float = 0.5) -> None:
        """
        Args:
            label_weights: a factor of each pixel's loss by its label, above 0, in index order.
            width: see `Edges`.
            edge_share: e, 0..1.

        Raises:
            ValueError: a number is out of its range.
        """
        super().__init__(label_weights)
        if not 0 <= edge_share <= 1:
            raise ValueError(f"edge_share must be from 0 to 1, not {edge_share}")
        self.edges, self.edge_share = Edges(width), edge_share

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Compare scores with the truth.

        Args:
            logits: (B, K, H, W) floating point of any width; computed in float32 at least.
            target: (B, H, W) integer, values 0..K-1, or 255 where a pixel does not count.

        Returns:
            scalar, float32 at least, >= 0, natural logarithm; 0 with a gradient of zeros when every pixel is ignored.
        """
        losses = self.cross_entropies(logits, target)
        at_edges = self.edges(target) == 1
        everywhere = mean_of_labelled(losses, target)
        there = (losses * at_edges).sum() / at_edges.sum().clamp(min=1)
        return (1 - self.edge_share) * everywhere + self.edge_share * there
