"""What a network gives while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from otx_seg.template.heads import MAIN


@dataclass(frozen=True)
class SegmentationOutput:
    """The logits of all outputs of a network for the same images.

    Attributes:
        logits: of the main output, (B, K, H, W), at the size of the images.
        others: of the further outputs by name, (B, C, H, W) each; C is K but for heads that learn something else.
        features: what the backbone gives: (B, C, h, w) of each of its levels.
    """

    logits: Tensor
    others: dict[str, Tensor] = field(default_factory=dict)
    features: Sequence[Tensor] = ()

    def by_name(self) -> dict[str, Tensor]:
        """The logits of every output by its name, the main one's first."""
        return {MAIN: self.logits, **self.others}

    def split(self, sizes: Sequence[int]) -> list[SegmentationOutput]:
        """Those of the first ``sizes[0]`` images, of the next ``sizes[1]``, and so on, without the features."""
        parts = {name: logits.split(list(sizes)) for name, logits in self.others.items()}
        return [
            SegmentationOutput(logits, {name: split[index] for name, split in parts.items()})
            for index, logits in enumerate(self.logits.split(list(sizes)))
        ]
