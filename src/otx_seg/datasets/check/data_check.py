"""The outcome of looking through data: what each subset holds, what is wrong, and what the data is good for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from otx_seg.datasets.ceiling import ceilings
from otx_seg.datasets.check.inspection import Inspection
from otx_seg.datasets.check.mask_faults import MaskFaults
from otx_seg.datasets.check.problems import Problem
from otx_seg.datasets.split import Use
from otx_seg.words import count

Purpose = Literal["training", "self-supervised training"]


_STRIDES = (8, 4, 2)
"""Output strides of networks, in pixels of their input."""


@dataclass(frozen=True)
class CheckedLabel:
    """How much of a label there is in a subset.

    Attributes:
        name: the label.
        pixels: how many are marked as it.
        share: of the pixels that have a label, 0-1.
        images: how many show it.
        typical_extent: how far its regions reach, in pixels at the input size, see `ScanReport.typical_extents`; None
            where it does not occur.
        ceilings: the Dice of a perfect network at the input size, by its output stride in pixels of the input, see
            `otx_seg.datasets.ceiling`; none but for training images.
    """

    name: str
    pixels: int
    share: float
    images: int
    typical_extent: float | None
    ceilings: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedSubset:
    """What a subset holds.

    Attributes:
        name: what it is called, in this data set alone.
        kind: train, val, test, default, ... or unlabelled; several subsets may be of one kind.
        use: what training and evaluation would use it for; those of images without masks is training.
        folder: where it lies.
        data_format: what people call its format.
        samples: how many images with masks there are, or how many images without.
        images: how many of them can be used; the figures below are about these.
        sizes: ((height, width) in pixels, number of images), the most frequent size first.
        labels: in their order; none for images without masks.
        ignored_pixels: number of pixels that no label claims (255).
    """

    name: str
    kind: str
    use: Use
    folder: Path
    data_format: str
    samples: int
    images: int
    sizes: tuple[tuple[tuple[int, int], int], ...] = ()
    labels: tuple[CheckedLabel, ...] = ()
    ignored_pixels: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        named = ("name", "kind", "use", "data_format", "samples", "images", "ignored_pixels")
        sizes = [{"height": height, "width": width, "images": number} for (height, width), number in self.sizes]
        return {
            **{name: getattr(self, name) for name in named},
            "folder": str(self.folder),
            "sizes": sizes,
            "labels": [asdict(label) for label in self.labels],
        }


@dataclass(frozen=True)
class DataCheck:
    """The outcome of `check`.

    Attributes:
        subsets: what each holds, the training images first.
        problems: what is wrong, errors first.
        usable_for: what the data can be used for as it is; None: for nothing.
        input_size: (height, width) in pixels of the networks that masks were compared with; without these, what
            `otx train` chooses for the training images where time allows it, or None where there are no masks to tell.
        page: the HTML file written, if one was asked for.
        label_map: the file or name of the label map that the data was read through; None: there was none.
        mask_faults: the masks that contradict networks; None: there were no networks to compare them with.
    """

    subsets: tuple[CheckedSubset, ...]
    problems: tuple[Problem, ...]
    usable_for: Purpose | None
    input_size: tuple[int, int] | None = None
    page: Path | None = None
    label_map: str | None = None
    mask_faults: MaskFaults | None = None

    @property
    def verdict(self) -> str:
        """One sentence without full stop."""
        numbers = {kind: sum(problem.severity == kind for problem in self.problems) for kind in ("error", "warning")}
        if self.usable_for is None:
            return f"not usable: {count(numbers['error'], 'error')}"
        if self.usable_for == "self-supervised training":
            verdict = "usable for self-supervised training only: there are no masks"
        else:
            verdict = "usable for training"
        return f"{verdict}, with {count(numbers['warning'], 'warning')}" if numbers["warning"] else verdict

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "verdict": self.verdict,
            "usable_for": self.usable_for,
            "input_size": None if self.input_size is None else f"{self.input_size[0]}x{self.input_size[1]}",
            "label_map": self.label_map,
            "subsets": [subset.as_json() for subset in self.subsets],
            "problems": [problem.as_json() for problem in self.problems],
            "page": None if self.page is None else str(self.page),
            **({} if self.mask_faults is None else {"mask_faults": self.mask_faults.as_json()}),
        }


def checked_subset(
    inspection: Inspection, use: Use, data_format: str, input_size: tuple[int, int] | None
) -> CheckedSubset:
    """What an inspection found, in figures.

    Args:
        use: see `CheckedSubset`.
        data_format: see `CheckedSubset`.
        input_size: see `DataCheck`.
    """
    report, subset = inspection.report, inspection.subset
    extents = report.typical_extents if input_size is None else report.extents_at(input_size)  # None: of nothing
    figures = (report.pixels_per_label, report.share_per_label, report.images_per_label, extents)
    reachable = _ceilings(inspection, input_size) if use == "training" and input_size is not None else {}
    return CheckedSubset(
        name=inspection.name,
        kind=inspection.kind,
        use=use,
        folder=subset.root,
        data_format=data_format,
        samples=len(subset),
        images=report.images,
        sizes=report.sizes,
        labels=tuple(
            CheckedLabel(*values, {stride: best[values[0]] for stride, best in reachable.items() if values[0] in best})
            for values in zip(subset.labels.names, *figures, strict=True)
        ),
        ignored_pixels=report.ignored_pixels,
    )


def _ceilings(inspection: Inspection, input_size: tuple[int, int]) -> dict[int, dict[str, float]]:
    """For each output stride, the Dice of a perfect network by label."""
    pairs = zip(inspection.subset.samples, inspection.samples, strict=True)
    valid = [sample for sample, found in pairs if found.valid]
    height, width = input_size
    grids = [(height // stride, width // stride) for stride in _STRIDES]
    found = ceilings(inspection.subset, inspection.report, valid, grids)
    return dict(zip(_STRIDES, found, strict=True))
