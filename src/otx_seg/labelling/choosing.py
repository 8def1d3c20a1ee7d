"""Which images to label, one after the other, each with what is labelled and chosen already in mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.labelling.methods import BOTH, DIVERSITY, RANDOM, UNCERTAINTY, USES_FEATURES
from otx_seg.labelling.near_copies import SeenImages


@dataclass(frozen=True)
class LabelledImage:
    """What is kept of an image that is labelled.

    Attributes:
        name: what people call it.
        thumbnail: see `thumbnail`.
        feature: float32 (C,), the mean of a network's feature map over its places; None: no distance to it counts.
    """

    name: str
    thumbnail: NDArray[np.uint8]
    feature: NDArray[np.float32] | None


@dataclass(frozen=True)
class Candidate(LabelledImage):
    """What is kept of an image that may be labelled.

    Attributes:
        uncertainty: mean over the pixels of `Uncertainty.entropy`, in bits.
        disagreement: the same of `Uncertainty.disagreement`.
    """

    uncertainty: float
    disagreement: float


@dataclass(frozen=True)
class Choice:
    """One chosen image.

    Attributes:
        candidate: its place among the candidates.
        score: what it was chosen for, higher than of all others that were left.
        distance: to the nearest image that was labelled or chosen before; see `choose`. None: there was none, or
            without features.
        nearest: the name of that image.
    """

    candidate: int
    score: float
    distance: float | None = None
    nearest: str | None = None


@dataclass(frozen=True)
class Choices:
    """The outcome of `choose`.

    Attributes:
        chosen: in the order in which they were chosen.
        near_copies: the places of candidates that would have been chosen, if they did not show the same as a labelled
            or chosen image, whose name stands beside them.
    """

    chosen: tuple[Choice, ...]
    near_copies: tuple[tuple[int, str], ...]


_SCORES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    RANDOM: lambda uncertainty, distance, by_chance: by_chance,
    UNCERTAINTY: lambda uncertainty, distance, by_chance: uncertainty,
    DIVERSITY: lambda uncertainty, distance, by_chance: distance,
    BOTH: lambda uncertainty, distance, by_chance: uncertainty * distance,
}


def choose(
    candidates: Sequence[Candidate], labelled: Sequence[LabelledImage], count: int, method: str, seed: int
) -> Choices:
    """Choose images one by one: each time that with the highest score.

    ``random`` draws them. ``uncertainty`` takes the most uncertain ones. ``diversity`` takes the one farthest from all
    that is labelled or chosen (greedy k-centre: Sener and Savarese, 2018, https://arxiv.org/abs/1708.00489). ``both``
    weighs that distance with the uncertainty. Near copies of what is labelled or chosen are passed over.

    The distance of two images is the root of the mean squared difference of their features, each in standard deviations
    over all images: 1.4 for two that have nothing in common but the set they are from, 0 for equal ones.

    Args:
        count: at most so many; there may be fewer that are new.
        method: one of `METHODS`; those of `USES_FEATURES` need features of all images.
        seed: of the drawing.
    """
    by_chance = np.random.default_rng(seed).permutation(len(candidates)) / max(1, len(candidates))
    uncertainty = np.array([candidate.uncertainty for candidate in candidates])
    seen, names = SeenImages([image.thumbnail for image in labelled]), [image.name for image in labelled]
    centres = _Centres(candidates, labelled) if method in USES_FEATURES else None
    free = np.ones(len(candidates), bool)
    chosen: list[Choice] = []
    copies: list[tuple[int, str]] = []
    while len(chosen) < count and free.any():
        score = _SCORES[method](uncertainty, by_chance if centres is None else centres.distances(), by_chance)
        index = int(np.argmax(np.where(free, score, -np.inf)))
        free[index] = False
        copied = seen.copied(candidates[index].thumbnail)
        if copied is not None:
            copies.append((index, names[copied]))
            continue
        nearest = (None, None) if centres is None else centres.nearest(index)
        chosen.append(Choice(index, float(score[index]), *nearest))
        seen.add(candidates[index].thumbnail)
        names.append(candidates[index].name)
        if centres is not None:
            centres.add(index)
    return Choices(tuple(chosen), tuple(copies))


class _Centres:
    """The distance of each candidate to the nearest image that is labelled or chosen."""

    def __init__(self, candidates: Sequence[Candidate], labelled: Sequence[LabelledImage]) -> None:
        first = [image for image in labelled if image.feature is not None]
        features = np.stack([_feature(image) for image in (*first, *candidates)])
        spread = features.std(axis=0)
        features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
        self._features = features[len(first) :]
        self._distances = np.full(len(candidates), np.inf)
        self._nearest = np.full(len(candidates), -1)
        self._candidates = candidates
        self._names: list[str] = []
        for image, feature in zip(first, features, strict=False):
            self._add(image.name, feature)

    def add(self, candidate: int) -> None:
        """Count a candidate among the chosen."""
        self._add(self._candidates[candidate].name, self._features[candidate])

    def _add(self, name: str, feature: NDArray[np.float64]) -> None:
        found = np.sqrt(np.mean((self._features - feature) ** 2, axis=1))
        nearer = found < self._distances
        self._distances[nearer] = found[nearer]
        self._nearest[nearer] = len(self._names)
        self._names.append(name)

    def distances(self) -> NDArray[np.float64]:
        """(N,); all alike, 1, as long as there is nothing to be distant from."""
        return self._distances if self._names else np.ones_like(self._distances)

    def nearest(self, candidate: int) -> tuple[float | None, str | None]:
        """The distance of a candidate, and the name of the image it is to."""
        if not self._names:
            return None, None
        return float(self._distances[candidate]), self._names[self._nearest[candidate]]


def _feature(image: LabelledImage) -> NDArray[np.float64]:
    assert image.feature is not None
    return image.feature.astype(np.float64)
