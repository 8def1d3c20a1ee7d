"""Which images to label, one after the other, each with what is labelled and chosen already in mind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.labelling.methods import BOTH, DIVERSITY, RANDOM, UNCERTAINTY, USES_FEATURES
from otx_seg.labelling.near_copies import SeenImages

_AT_ONCE = 512  # candidates whose distances to all others are worked out at once


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
        stands_for: how many candidates, itself among them, are nearer to it than to any image before; None: without
            features.
    """

    candidate: int
    score: float
    distance: float | None = None
    nearest: str | None = None
    stands_for: int | None = None


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


def choose(
    candidates: Sequence[Candidate], labelled: Sequence[LabelledImage], count: int, method: str, seed: int
) -> Choices:
    """Choose images one by one: each time that with the highest score.

    ``random`` draws them. ``uncertainty`` takes the most uncertain ones. ``diversity`` takes the one farthest from all
    that is labelled or chosen (greedy k-centre: Sener and Savarese, 2018, https://arxiv.org/abs/1708.00489). ``both``
    takes the one that stands best for the uncertain ones: that brings the sum over all candidates of uncertainty times
    distance to what is labelled or chosen down the most (a greedy weighted k-median; Yang et al., 2017,
    https://arxiv.org/abs/1706.04737, choose by representativeness among the uncertain ones). Its score is the share of
    that sum at the beginning. Near copies of what is labelled or chosen are passed over.

    The distance of two images is the root of the mean squared difference of their features, each in standard deviations
    over all images: 1.4 for two that have nothing in common but the set they are from, 0 for equal ones.

    Args:
        count: at most so many; there may be fewer that are new.
        method: one of `METHODS`; those of `USES_FEATURES` need features of all candidates.
        seed: of the drawing.
    """
    seen, names = SeenImages([image.thumbnail for image in labelled]), [image.name for image in labelled]
    centres = _Centres(candidates, labelled) if method in USES_FEATURES else None
    score_of = _scores(method, candidates, centres, seed)
    free = np.ones(len(candidates), bool)
    chosen: list[Choice] = []
    copies: list[tuple[int, str]] = []
    while len(chosen) < count and free.any():
        score = score_of()
        index = int(np.argmax(np.where(free, score, -np.inf)))
        free[index] = False
        copied = seen.copied(candidates[index].thumbnail)
        if copied is not None:
            copies.append((index, names[copied]))
            continue
        place = (None, None, None) if centres is None else centres.add(index)
        chosen.append(Choice(index, float(score[index]), *place))
        seen.add(candidates[index].thumbnail)
        names.append(candidates[index].name)
    return Choices(tuple(chosen), tuple(copies))


def _scores(
    method: str, candidates: Sequence[Candidate], centres: _Centres | None, seed: int
) -> Callable[[], NDArray[np.float64]]:
    """What gives the present scores (N,)."""
    uncertainty = np.array([candidate.uncertainty for candidate in candidates])
    if method == DIVERSITY:
        assert centres is not None
        return lambda: centres.distances.copy()
    if method == BOTH:
        assert centres is not None
        whole = float((uncertainty * centres.distances).sum()) or 1.0
        return lambda: centres.gains(uncertainty) / whole
    by_chance = np.random.default_rng(seed).permutation(len(candidates)) / len(candidates)
    fixed = {UNCERTAINTY: uncertainty, RANDOM: by_chance}[method]
    return lambda: fixed


class _Centres:
    """The distance of each candidate to the nearest image that is labelled or chosen.

    Attributes:
        distances: (N,); as long as there is no such image, one number that no distance exceeds.
    """

    def __init__(self, candidates: Sequence[Candidate], labelled: Sequence[LabelledImage]) -> None:
        first = [image for image in labelled if image.feature is not None]
        features = np.stack([_feature(image) for image in (*first, *candidates)])
        spread = features.std(axis=0)
        features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
        features /= np.sqrt(features.shape[1])  # so that distances are those of Euclid
        self._features, self._squares = features[len(first) :], np.square(features[len(first) :]).sum(axis=1)
        self.distances = np.full(len(candidates), np.inf if first else 2 * np.sqrt(self._squares.max()) + 1)
        self._nearest = np.full(len(candidates), -1)
        self._candidates = candidates
        self._names: list[str] = []
        for image, feature in zip(first, features, strict=False):
            self._add(image.name, feature)

    def add(self, candidate: int) -> tuple[float | None, str | None, int]:
        """Count a candidate among the chosen; gives the last three values of its `Choice`."""
        far, nearest = float(self.distances[candidate]), self._nearest[candidate]
        before = (None, None) if nearest < 0 else (far, self._names[nearest])
        return *before, self._add(self._candidates[candidate].name, self._features[candidate])

    def _add(self, name: str, feature: NDArray[np.float64]) -> int:
        found = np.sqrt(np.square(self._features - feature).sum(axis=1))
        nearer = found < self.distances
        self.distances[nearer] = found[nearer]
        self._nearest[nearer] = len(self._names)
        self._names.append(name)
        return int(nearer.sum())

    def gains(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much the sum of weight times distance would fall with each candidate, (N,)."""
        gains = []
        for first in range(0, len(self._features), _AT_ONCE):
            block = slice(first, first + _AT_ONCE)
            products = self._features[block] @ self._features.T
            squares = self._squares[block, None] + self._squares - 2 * products
            found = np.sqrt(np.maximum(squares, 0))
            gains.append(np.maximum(self.distances - found, 0) @ weights)
        return np.concatenate(gains)


def _feature(image: LabelledImage) -> NDArray[np.float64]:
    assert image.feature is not None
    return image.feature.astype(np.float64)
