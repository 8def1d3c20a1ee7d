"""Networks that do not go from images through backbone and heads once, but in a way of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor


@dataclass(frozen=True)
class TrainingLogits:
    """What a segmentor computes in training.

    Attributes:
        of_stages: logits of each stage of its cascade, the main ones last, at their own size: (B, K, h, w).
        further: those of the `further_outputs`.
        features: what the backbone gives for the images as they are: (B, C, h, w) of each of its levels.
    """

    of_stages: Sequence[Tensor]
    further: dict[str, Tensor]
    features: Sequence[Tensor]


@runtime_checkable
class Segmentor(Protocol):
    """mmseg's EncoderDecoder with a way of its own from normalised images (B, 3, H, W) to logits.

    Attributes:
        further_outputs: names of outputs of the main head that exist in training alone.
    """

    further_outputs: tuple[str, ...]

    def main_logits(self, images: Tensor) -> Tensor:
        """Logits of the main output at its own size, (B, K, h, w), in training as deployed."""

    def training_logits(self, images: Tensor) -> TrainingLogits:
        """The logits of all outputs but those of auxiliary heads."""
