"""Which of some new images other data has already."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from otx_seg.annotations.samples import Sample
from otx_seg.datasets.check.inspection import Inspected, Inspection
from otx_seg.datasets.split import Use

_ORDER: tuple[Use, ...] = ("validation", "test", "training", "nothing")


@dataclass(frozen=True)
class Known:
    """Images that are there already.

    Attributes:
        name: what they are called in `Addition.left_out`.
        use: what they are used for.
        validated: names of those of them that are validated on all the same.
    """

    name: str
    use: Use
    inspection: Inspection
    validated: Collection[str] = field(default_factory=frozenset)

    def use_of(self, sample: Sample) -> Use:
        """What an image is used for."""
        return "validation" if sample.name in self.validated else self.use


@dataclass(frozen=True)
class Twin:
    """A new image that other data has too.

    Attributes:
        name, path: of the new image.
        use: of the equal image.
        known: the `Known.name` of that.
        known_name, known_path: the same of it.
        same_mask: whether both have equal masks.
    """

    name: str
    path: str
    use: Use
    known: str
    known_name: str
    known_path: str
    same_mask: bool


def find_twins(new: Inspection, others: Sequence[Known]) -> tuple[Twin, ...]:
    """The new images whose pixels are those of other images, with every equal image of the most important use: to
    validate on, then to test on, then to train on.

    Args:
        new: the new images.
        others: what is there, with labels numbered as those of `new` are: else no two masks are the same.
    """
    by_digest: dict[bytes, list[tuple[Known, Sample, Inspected]]] = {}
    for known in others:
        for sample, found in zip(known.inspection.subset.samples, known.inspection.samples, strict=True):
            if found.valid:
                by_digest.setdefault(found.image_digest, []).append((known, sample, found))
    twins = []
    for sample, seen in zip(new.subset.samples, new.samples, strict=True):
        equal = by_digest.get(seen.image_digest, []) if seen.valid else []
        use = min((known.use_of(other) for known, other, _ in equal), key=_ORDER.index, default=None)
        twins += [
            Twin(sample.name, sample.image, use, known.name, other.name, other.image, _alike(seen, new, found, known))
            for known, other, found in equal
            if known.use_of(other) == use
        ]
    return tuple(twins)


def _alike(seen: Inspected, new: Inspection, found: Inspected, known: Known) -> bool:
    same_numbers = known.inspection.subset.labels.names == new.subset.labels.names
    return same_numbers and found.mask_digest == seen.mask_digest
