"""What tests of contrasts between two views share: a small network and a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.models.network import SegmentationOutput

SETTINGS = {"hidden": 6, "size": 5, "regions": 4, "temperature": 0.2, "target_keep": 0.9}


class TwoLevels(nn.Module):
    """Stands for a network: levels of half and a quarter of the image's size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 2, stride=2)
        self.deep = nn.Conv2d(4, 3, 2, stride=2)
        self.main_head = nn.Conv2d(7, 2, 1)
        self.main_head.in_index, self.main_head.in_channels = [0, 1], [4, 3]  # type: ignore[assignment]

    def features(self, images: Tensor) -> list[Tensor]:
        fine = self.stem(images.float() / 255)
        return [fine, self.deep(fine)]

    def outputs(self, images: Tensor) -> SegmentationOutput:
        levels = self.features(images)
        deep = nn.functional.interpolate(levels[1], levels[0].shape[-2:])
        logits = nn.functional.interpolate(self.main_head(torch.cat((levels[0], deep), 1)), images.shape[-2:])
        return SegmentationOutput(logits, {}, levels)

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs(images).logits


def batch(seed: int = 0, names: tuple[str, str] = ("first crop", "second crop")) -> dict[str, dict[str, Any]]:
    generator = torch.Generator().manual_seed(seed)
    views = {}
    for name in names:
        image = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=generator)
        mask = torch.randint(0, 2, (3, 2, 2), dtype=torch.uint8, generator=generator)
        views[name] = {"image": image, "mask": mask.repeat_interleave(4, 1).repeat_interleave(4, 2)}
    return views
