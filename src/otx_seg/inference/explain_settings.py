"""What can be asked of an explanation; without NumPy, since the command line needs it for its help."""

from __future__ import annotations

from dataclasses import dataclass

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError

CLASS_WISE, PROBABILITY, ACTIVATION, EIGEN = "classwisesaliencymap", "probability", "activationmap", "eigencam"

PER_LABEL = (CLASS_WISE, PROBABILITY)
"""Algorithms that make a map for each label."""

FOR_ALL_LABELS = (ACTIVATION, EIGEN)
"""Algorithms that make one map for all of them."""


QUANTITIES = {
    CLASS_WISE: "evidence (no unit)",
    PROBABILITY: "probability",
    ACTIVATION: "mean activation (no unit)",
    EIGEN: "first principal component (no unit)",
}
"""What the numbers of a map are. Only probabilities can be compared between images: they have one range."""


@dataclass(frozen=True)
class ExplainSettings:
    """The settings of an explanation.

    Attributes:
        algorithm: one of `PER_LABEL` or `FOR_ALL_LABELS`.
        all_labels: maps of all labels; otherwise of those found in the image. Only with an algorithm `PER_LABEL`.
        process_maps: keep maps as coloured pictures of the image's size; otherwise as the numbers they are.
        overlay_weight: share of the heat map in an overlay, 0..1; the rest is the image.
    """

    algorithm: str = CLASS_WISE
    all_labels: bool = False
    process_maps: bool = False
    overlay_weight: float = 0.5

    def __post_init__(self) -> None:
        """Raises UsageError: an unknown algorithm, a share out of range, or all labels where there is one map."""
        known = [*PER_LABEL, *FOR_ALL_LABELS]
        if self.algorithm not in known:
            raise UsageError(f"there is no explain algorithm {self.algorithm!r}; {nearest(self.algorithm, known)}")
        if not 0 <= self.overlay_weight <= 1:
            raise UsageError(f"the overlay weight is the heat map's share, 0 to 1: {self.overlay_weight:g}")
        if self.all_labels and self.algorithm in FOR_ALL_LABELS:
            raise UsageError(
                f"{self.algorithm} makes one map for all labels; leave --explain-all-classes out, or choose "
                f"{' or '.join(PER_LABEL)}"
            )
