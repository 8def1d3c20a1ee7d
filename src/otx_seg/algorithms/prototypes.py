"""Prototype consistency: pixels are also classified by the nearest of several prototypes of each label.

Zhou et al., "Rethinking semantic segmentation: a prototype view" (2022, https://arxiv.org/abs/2203.15102), beside a
linear classifier in semi-supervised training: Xu et al., "Semi-supervised semantic segmentation with prototype-based
consistency regularization" (2022, https://arxiv.org/abs/2210.04388).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SINKHORN_ROUNDS = 3
_SINKHORN_SHARPNESS = 0.05
"""Rounds and divisor of the similarities, both of Zhou et al.'s published configuration."""


class Prototypes(nn.Module):
    """A second classifier whose only weights are a projection: its prototypes follow the features.

    1. The features of each pixel are projected and scaled to length 1.
    2. A label's score is the similarity with the nearest of its prototypes, normalised over the labels.
    3. The pixels of each label are shared out evenly over its prototypes (see `assign_evenly`).
    4. Each prototype moves to the mean of those of its pixels that step 2 classifies rightly:
       prototype = decay * prototype + (1 - decay) * mean, scaled to length 1. No gradient moves it.
    5. Pixels are drawn to their prototype: by cross-entropy over all prototypes of all labels (pixel-prototype
       contrast, equation 11), and by the squared distance 1 - similarity (pixel-prototype distance, equation 12).

    Args:
        channels: of the features, C.
        labels: K.
        per_label: prototypes of each label, P.
        keep: the decay, 0..1; with 1 the prototypes do not change.
        contrast_weight, distance_weight: of the two losses of step 5.
    """

    def __init__(
        self, channels: int, labels: int, per_label: int, keep: float, contrast_weight: float, distance_weight: float
    ) -> None:
        super().__init__()
        self.projection = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 1)
        )
        self.feature_norm = nn.LayerNorm(channels)
        self.score_norm = nn.LayerNorm(labels)
        self.keep = keep
        self.contrast_weight, self.distance_weight = contrast_weight, distance_weight
        self.prototypes: Tensor
        self.register_buffer("prototypes", functional.normalize(torch.randn(labels, per_label, channels), dim=2))

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Classify pixels; in training mode, update the prototypes.

        Args:
            features: (B, C, h, w).
            mask: integer (B, H, W), 255 where a pixel does not count.

        Returns:
            scores (B, K, h, w), and the weighted losses of step 5, a scalar.
        """
        count, _, height, width = features.shape
        # 1. one vector per pixel, (B*h*w, C)
        projected = self.projection(features).permute(0, 2, 3, 1).flatten(0, 2)
        pixels = functional.normalize(self.feature_norm(projected).float(), dim=1)
        # 2. similarities (B*h*w, K, P), scores (B*h*w, K)
        # A copy: the gradients still need it when the prototypes have moved.
        # Sharpened by `assign_evenly`, they need all digits of float32, which mixed precision would take away.
        with torch.autocast(pixels.device.type, enabled=False):
            similarities = torch.einsum("nc,kpc->nkp", pixels, self.prototypes.clone())
            scores = self.score_norm(similarities.amax(dim=2))
        # 3. the prototype of each pixel, numbered through all labels; 255 becomes -1
        truth = functional.interpolate(mask[:, None].float(), (height, width), mode="nearest").flatten().long()
        own = self._assign(similarities.detach(), truth)
        # 4. moving averages
        if self.training:
            self._update(pixels.detach(), own, scores.argmax(dim=1) == truth)
        # 5. losses
        losses = self._attraction_loss(similarities, own)
        return scores.view(count, height, width, -1).permute(0, 3, 1, 2), losses

    def _assign(self, similarities: Tensor, truth: Tensor) -> Tensor:
        own = torch.full_like(truth, -1)
        for label in range(similarities.shape[1]):
            places = (truth == label).nonzero().flatten()
            if len(places):
                chosen = assign_evenly(similarities[places, label])
                own[places] = chosen + label * similarities.shape[2]
        return own

    @torch.no_grad()
    def _update(self, pixels: Tensor, own: Tensor, right: Tensor) -> None:
        counted = right & (own >= 0)
        flat = self.prototypes.flatten(0, 1)  # (K*P, C)
        sums = torch.zeros_like(flat).index_add_(0, own[counted], pixels[counted])
        numbers = torch.zeros(len(flat), device=flat.device).index_add_(0, own[counted], counted[counted].float())
        if torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
            torch.distributed.all_reduce(sums)
            torch.distributed.all_reduce(numbers)
        moved = self.keep * flat + (1 - self.keep) * functional.normalize(sums, dim=1)
        followed = torch.where(numbers[:, None] > 0, functional.normalize(moved, dim=1), flat)
        self.prototypes.copy_(followed.view_as(self.prototypes))

    def _attraction_loss(self, similarities: Tensor, own: Tensor) -> Tensor:
        every = similarities.flatten(1)  # (N, K*P)
        number = (own >= 0).sum().clamp(min=1)
        contrast = functional.cross_entropy(every, own, ignore_index=-1, reduction="sum") / number
        nearness = every.gather(1, own.clamp(min=0)[:, None])[:, 0]
        distance = ((1 - nearness).square() * (own >= 0)).sum() / number
        return self.contrast_weight * contrast + self.distance_weight * distance


def assign_evenly(similarities: Tensor) -> Tensor:
    """Assign each pixel of a label to one of its prototypes, in equal numbers.

    The optimal transport of Cuturi (2013, https://arxiv.org/abs/1306.0895) by Sinkhorn's iterations, then for each
    pixel the prototype it gives most to (Zhou et al. 2022, equations 7 and 8; they draw a random one instead, close to
    evenly, which blurs what the prototypes stand for).

    Args:
        similarities: float32 (N, P), -1..1.

    Returns:
        int64 (N,), 0..P-1.
    """
    plan = torch.exp(similarities / _SINKHORN_SHARPNESS)
    for _ in range(_SINKHORN_ROUNDS):
        plan = plan / plan.sum(dim=0, keepdim=True)  # each prototype: the same total
        plan = plan / plan.sum(dim=1, keepdim=True)  # each pixel: the same total
    return plan.argmax(dim=1)


@contextmanager
def classifier_inputs(head: Any) -> Iterator[list[Tensor]]:
    """Within this context, a list of the inputs (B, C, h, w) of a decode head's classifier, one for each pass."""
    seen: list[Tensor] = []
    handle = head.conv_seg.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        handle.remove()
