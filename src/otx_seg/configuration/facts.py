"""The facts that decisions use, and the decisions."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass
from typing import Any

from otx_seg.datasets import ScanReport
from otx_seg.labels import Labels

PLANNED_MINUTES = 240.0
"""How long a training is expected to take at most where no time limit is given, for choices that cost time."""

REFERENCE_SIDE = 512
"""Pixels a side at which a template states its gigaflops."""

AS_GIVEN = "as given"
"""The reason for what the user decided."""

_RARE = 0.02  # share of the images: what no more of them show does not decide on the input size


@dataclass(frozen=True)
class Decision:
    """One value that a training runs with.

    Attributes:
        parameter: ``template``, or ``group.name`` of a hyper-parameter.
        value: plain.
        reason: a few words for people.
        given: whether the user asked for it.
    """

    parameter: str
    value: Any
    reason: str
    given: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DataFacts:
    """The training images.

    Attributes:
        images: how many.
        sides: sqrt(height x width) in pixels of each.
        aspect: median of width / height.
        extents: see `ScanReport.typical_extents`; by name of each label that is in more than a stray image, the
            background only if there is no other.
        work: cost of a step relative to one of supervised training: 2 where each image comes with a second one.
        new: how many of them show labels that are new to the network.
    """

    images: int
    sides: tuple[float, ...]
    aspect: float
    extents: dict[str, float]
    work: float = 1.0
    new: int = 0

    @property
    def side(self) -> float:
        """The side of the larger images in pixels: mean + 3 standard deviations of its logarithm, or the largest."""
        logarithms = [math.log(side) for side in self.sides]
        high = statistics.fmean(logarithms) + 3 * statistics.pstdev(logarithms)
        return min(math.exp(high), max(self.sides))

    @property
    def finest(self) -> tuple[str, float]:
        """The label with the smallest regions, and their extent."""
        name = min(self.extents, key=lambda name: self.extents[name])
        return name, self.extents[name]


def data_facts(report: ScanReport, labels: Labels, work: float = 1.0, new: int = 0) -> DataFacts:
    """
    Args:
        report: on the training images.
        labels: those it counts.
        work, new: see `DataFacts`.
    """
    sides = [math.sqrt(content.size[0] * content.size[1]) for content in report.contents]
    aspect = statistics.median(content.size[1] / content.size[0] for content in report.contents)
    found = {index: extent for index, extent in enumerate(report.typical_extents) if extent is not None}
    # What scores do not count decides nothing where there is anything else: say, seams of background between regions.
    counted = {index: extent for index, extent in found.items() if index in labels.foreground} or found
    common = {index for index, images in enumerate(report.images_per_label) if images > _RARE * report.images}
    chosen = {index: extent for index, extent in counted.items() if index in common} or counted
    extents = {labels.names[index]: extent for index, extent in chosen.items()}
    return DataFacts(report.images, tuple(sides), aspect, extents, work, new)


@dataclass(frozen=True)
class MachineFacts:
    """What the training runs on.

    Attributes:
        cores: CPU cores this process may use.
        threads: of each process that compute.
        processes: of the training on this machine, which share its cores and its memory.
        world_size: processes of all machines that train together.
        gpu: whether there is one.
        memory: bytes of main memory it may use; None where the system does not tell.
    """

    cores: int
    threads: int
    processes: int
    world_size: int
    gpu: bool
    memory: int | None
