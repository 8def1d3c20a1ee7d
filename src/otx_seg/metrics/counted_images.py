"""Which images, and which labels, a model gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from otx_seg.labels import Labels
from otx_seg.metrics.confusion import PixelCounts
from otx_seg.metrics.definitions import METRICS, LabelCounts, Metric


class RankedImage(NamedTuple):
    """An image and its Dice, 0..1; `rank` is ``worst``, ``median`` or ``best``."""

    rank: str
    name: str
    dice: float


@dataclass(frozen=True)
class CountedImages:
    """The pixels of some images by true and predicted label.

    Attributes:
        labels: the K labels.
        files: names of the N images.
        pixels: of these images, in their order.
        left_out: names of labels that enter no average.
    """

    labels: Labels
    files: tuple[str, ...]
    pixels: PixelCounts
    left_out: tuple[str, ...] = ()

    def confusions(self) -> dict[str, dict[str, int]]:
        """Pixels by true label and predicted label, without pairs that have none."""
        names = self.labels.names
        return {
            true: {predicted: pixels for predicted, pixels in zip(names, row, strict=True) if pixels}
            for true, row in zip(names, self.pixels.confusion.tolist(), strict=True)
        }

    def counts(self, metric: Metric) -> Tensor:
        """The pixels that a metric is taken from, int64 (N, K, 3), see `PixelCounts`."""
        if not metric.boundary:
            return self.pixels.per_image
        assert self.pixels.boundary is not None
        return self.pixels.boundary

    def of_images(self, metric: Metric) -> dict[str, float | None]:
        """A metric on each image by its name: the mean over the labels other than background that the image shows, or
        that are predicted for it; a metric of all labels has its value of the same, and of background.

        A label that is predicted and not there counts as 0: in a single image there is no other place where the mistake
        would be seen. Where there is no label, there is no value: None.
        """
        averaged = [index for index, name in enumerate(self.labels.names) if name not in self.left_out]
        if metric.of_label is not None:
            averaged = [index for index in averaged if index != self.labels.background]
        counts = self.counts(metric)[:, averaged].tolist()
        return {
            name: metric.over([LabelCounts(*row) for row in rows if row[1] or row[2]])
            for name, rows in zip(self.files, counts, strict=True)
        }

    def worst(self, count: int) -> list[tuple[str, float]]:
        """The images with the lowest Dice and it, the worst first."""
        return self._by_dice()[:count]

    def ranked(self, each: int) -> list[RankedImage]:
        """The images with the lowest Dice, those around the median and those with the highest, at most `each` of a
        rank and none twice; from low to high Dice."""
        scored = self._by_dice()
        worst = range(min(each, len(scored)))
        best = range(max(len(worst), len(scored) - each), len(scored))
        between = range(len(worst), len(scored) - len(best))
        skipped = max(0, len(between) - each) // 2
        median = between[skipped : skipped + each]
        ranks = (("worst", worst), ("median", median), ("best", best))
        return [RankedImage(rank, *scored[place]) for rank, places in ranks for place in places]

    def _by_dice(self) -> list[tuple[str, float]]:
        scored = [(name, dice) for name, dice in self.of_images(METRICS["dice"]).items() if dice is not None]
        return sorted(scored, key=lambda item: item[1])
