"""How `otx predict` makes masks and what it writes; without NumPy, since the command line needs it for its help."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError

if TYPE_CHECKING:
    from otx_seg.runtime.augmented_views import AugmentedViews
    from otx_seg.runtime.predict_mask import SlidingWindow

MaskValues = Literal["index", "color", "original"]
MASK_VALUES: tuple[MaskValues, ...] = ("index", "color", "original")
CONFIDENCE, PROBABILITIES = "confidence", "probabilities"
MAPS = (CONFIDENCE, PROBABILITIES)
BITS = (8, 16)
DEFAULT_BITS = 8
DEFAULT_CONFIDENCE_THRESHOLD = 0.75
"""Half of the way from undecided to certain, where there are two labels."""
DEFAULT_POLYGON_TOLERANCE = 0.75
"""Pixels: more than the 0.71 that the steps of a border at 45 degrees are beside it; docs/labelling.md has figures."""
HIGHEST_POLYGON_TOLERANCE = 100.0


def annotation_formats() -> tuple[str, ...]:
    """What masks can be saved as, see `otx_seg.formats.writers`, which is not imported."""
    folder = Path(__file__).parents[1] / "formats" / "writers"
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules([str(folder)])))


@dataclass(frozen=True)
class PredictSettings:
    """How masks are made and what is written beside them.

    Attributes:
        window, views: see `predict_mask`; None: no window, one view.
        mask_values: one of `MASK_VALUES`: indices of labels, their colours in overlays, or what the mask files of the
            training data held.
        save: which of `MAPS`.
        save_bits: of each value in these, 8 or 16.
        confidence_threshold: 0..1; of which share of an image's pixels the confidence is lower, is told.
        save_as: which of `annotation_formats`.
        polygon_tolerance: of annotations, in pixels, see `otx_seg.annotations.contours.simplified`.
        min_confidence: 0..1; a region with a lower mean confidence is in no annotations; None: all regions are.
    """

    window: SlidingWindow | None = None
    views: AugmentedViews | None = None
    mask_values: MaskValues = "index"
    save: tuple[str, ...] = ()
    save_bits: int = DEFAULT_BITS
    confidence_threshold: float = DEFAULT_CONFIDENCE_THRESHOLD
    save_as: tuple[str, ...] = ()
    polygon_tolerance: float = DEFAULT_POLYGON_TOLERANCE
    min_confidence: float | None = None

    def __post_init__(self) -> None:
        """Raises UsageError: an unknown map, or a number out of range."""
        if self.mask_values not in MASK_VALUES:
            raise UsageError(f"--mask-values {self.mask_values}: can be {', '.join(MASK_VALUES)}")
        for name in self.save:
            if name not in MAPS:
                raise UsageError(f"--save {name}: can be {' or '.join(MAPS)}")
        if self.save_bits not in BITS:
            raise UsageError(f"--save-bits {self.save_bits}: can be {' or '.join(map(str, BITS))}")
        if not 0 < self.confidence_threshold <= 1:
            raise UsageError(f"--confidence-threshold {self.confidence_threshold:g}: is above 0 and at most 1")
        for name in self.save_as:
            if name not in annotation_formats():
                raise UsageError(f"--save-as {name}: {nearest(name, [*annotation_formats()])}")
        if not 0 <= self.polygon_tolerance <= HIGHEST_POLYGON_TOLERANCE:
            most = f"{HIGHEST_POLYGON_TOLERANCE:g} pixels"
            raise UsageError(f"--polygon-tolerance {self.polygon_tolerance:g}: is at least 0 and at most {most}")
        if self.min_confidence is not None and not 0 < self.min_confidence <= 1:
            raise UsageError(f"--min-confidence {self.min_confidence:g}: is above 0 and at most 1")
