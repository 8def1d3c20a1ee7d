"""Which images, and which labels, a model gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from otx_seg.labels import Labels
from otx_seg.metrics.confusion import PixelCounts


class ImageScore(NamedTuple):
    """Mean Dice and IoU of the labels other than background that one image shows, or that are predicted for it; 0..1.

    A label that is predicted and not there counts as 0: in a single image there is no other place where the mistake
    would be seen.
    """

    dice: float
    iou: float


@dataclass(frozen=True)
class CountedImages:
    """The pixels of some images by true and predicted label.

    Attributes:
        labels: the K labels.
        files: names of the N images.
        pixels: of these images, in their order.
    """

    labels: Labels
    files: tuple[str, ...]
    pixels: PixelCounts

    def confusions(self) -> dict[str, dict[str, int]]:
        """Pixels by true label and predicted label, without pairs that have none."""
        names = self.labels.names
        return {
            true: {predicted: pixels for predicted, pixels in zip(names, row, strict=True) if pixels}
            for true, row in zip(names, self.pixels.confusion.tolist(), strict=True)
        }

    def scores(self) -> dict[str, ImageScore | None]:
        """The scores of each image by its name; None where only background is there and predicted."""
        agreed, true, predicted = self.pixels.per_image[:, list(self.labels.foreground)].double().unbind(dim=2)
        size, shown = true + predicted, (true + predicted) > 0
        number = shown.sum(dim=1).clamp(min=1)
        dice = (2 * agreed / size.clamp(min=1)).sum(dim=1) / number
        iou = (agreed / (size - agreed).clamp(min=1)).sum(dim=1) / number
        rows = zip(self.files, dice.tolist(), iou.tolist(), shown.any(dim=1).tolist(), strict=True)
        return {name: ImageScore(of_dice, of_iou) if any_shown else None for name, of_dice, of_iou, any_shown in rows}

    def worst(self, count: int) -> list[tuple[str, ImageScore]]:
        """The images with the lowest Dice, the worst first."""
        scored = [(name, score) for name, score in self.scores().items() if score is not None]
        return sorted(scored, key=lambda item: item[1].dice)[:count]
