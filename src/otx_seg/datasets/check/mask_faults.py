"""Masks that contradict a network, in the order in which a person should look at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from otx_seg.words import count

Kind = Literal[
    "missing region", "extra region", "other label", "shifted border", "shifted mask", "mask of another image"
]
WHOLE_MASK: tuple[Kind, ...] = ("shifted mask", "mask of another image")
"""The kinds that are about a mask as a whole."""


@dataclass(frozen=True)
class Contradiction:
    """A part of a mask, or all of it, that a network contradicts.

    Attributes:
        kind: what seems to be wrong with the mask.
        in_mask, predicted: the label there, and the one that the network sees; the most frequent ones of a mask as a
            whole.
        box: x, y, width and height in pixels of the image.
        pixels: how many contradict, of the image.
        score: how many times as large the contradiction is as is usual for these two labels, or for a mask.
        offset: (right, down) in pixels of the image, by which a shifted mask lies beside what the network sees.
    """

    kind: Kind
    in_mask: str
    predicted: str
    box: tuple[int, int, int, int]
    pixels: int
    score: float
    offset: tuple[int, int] = (0, 0)

    @property
    def in_words(self) -> str:
        """One sentence without full stop."""
        seen = f"{self.predicted!r} where the mask has {self.in_mask!r}"
        if self.kind == "shifted mask":
            return f"the mask seems to lie {_offset_in_words(self.offset)}"
        if self.kind == "mask of another image":
            return f"the mask does not seem to be this image's; most of all the network sees {seen}"
        return f"the network sees {seen}"


def _offset_in_words(offset: tuple[int, int]) -> str:
    ways = (("left", "right"), ("up", "down"))
    parts = [f"{count(abs(by), 'pixel')} too far {ways[axis][by > 0]}" for axis, by in enumerate(offset) if by]
    return " and ".join(parts)


@dataclass(frozen=True)
class SuspectMask:
    """A mask, and what contradicts it.

    Attributes:
        rank: its place, from 1.
        subset: what its subset is called.
        file: name of the image in the subset.
        image: path of the image.
        number: its index among all that were compared.
        contradictions: the highest score first; at least one.
    """

    rank: int
    subset: str
    file: str
    image: str
    number: int
    contradictions: tuple[Contradiction, ...]

    @property
    def score(self) -> float:
        """That of the mask."""
        return self.contradictions[0].score

    @property
    def kind(self) -> Kind:
        """What seems to be wrong most of all."""
        return self.contradictions[0].kind

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **{name: getattr(self, name) for name in ("rank", "subset", "file", "image", "kind", "score")},
            "contradictions": [asdict(one) for one in self.contradictions],
        }


@dataclass(frozen=True)
class MaskFaults:
    """Which masks to look at again.

    Attributes:
        images: how many were compared.
        judged_by: which network judged which image, a sentence without full stop.
        masks: those with contradictions that are larger than usual, in order.
        caution: what makes the ranking worse than it could be, and what to do; empty if nothing does.
        page, table: the files written.
    """

    images: int
    judged_by: str
    masks: tuple[SuspectMask, ...]
    caution: str = ""
    page: Path | None = None
    table: Path | None = None

    @property
    def verdict(self) -> str:
        """One sentence without full stop."""
        if not self.masks:
            return f"None of the masks of {count(self.images, 'image')} is contradicted by more than usual"
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in self.kinds)
        return f"{len(self.masks):,} of {count(self.images, 'mask')} are contradicted by more than usual: {kinds}"

    @property
    def kinds(self) -> Sequence[tuple[Kind, int]]:
        """How many masks are suspected of what, the most frequent first."""
        return Counter(mask.kind for mask in self.masks).most_common()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "images": self.images,
            "judged_by": self.judged_by,
            "caution": self.caution,
            "masks": [mask.as_json() for mask in self.masks],
            "page": None if self.page is None else str(self.page),
            "table": None if self.table is None else str(self.table),
        }
