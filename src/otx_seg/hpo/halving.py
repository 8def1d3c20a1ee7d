"""How many trials a search makes, and how far each is trained before a part of them is stopped.

Successive halving (Jamieson & Talwalkar 2016) with a factor of three: all trials are trained to the first rung, the
best third of them to a second one three times as far, and so on until one is left. A rung is a share of a whole
training. Trials are paused at a rung, not started anew, so that the last one has lost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

FACTOR = 3
MOST_TRIALS = 27
_LEAD_AT_END = 0.01
"""A lead in mDice, background included, up to which it is luck at the end of a training; earlier that / share."""

_LARGEST_LEAD = 0.1
"""More than this is never asked for."""

_PROMISING = 0.05
"""A lead at a first look without which a trial will hardly have the one it needs."""

_CLEARLY = 0.05
"""A lead over nothing learned that is no luck."""

SHORTEST_SHARE = 1 / MOST_TRIALS
"""Share of a training below which scores say little of what becomes of it."""


@dataclass(frozen=True)
class Halving:
    """A search of a given length.

    Attributes:
        trials: how many begin.
        rungs: shares of a training, 0 to 1, at which trials are stopped; three times as long from one to the next.
        looks: whether the first one is for a look: it is too early to choose, and not to stop what does not lead.
    """

    trials: int
    rungs: tuple[float, ...]
    looks: bool = False

    def ratio(self) -> float:
        """Time of search and winner together as a multiple of a training's; it depends on the scores after a look."""
        stopped = (before - after for before, after in pairwise(_left(self.trials)))
        return 1.0 + sum(count * rung for count, rung in zip(stopped, self.rungs, strict=False))


def plan_halving(ratio: float, shortest: float, epochs: int | None = None) -> Halving | None:
    """The most trials that a time ratio allows, each as long as it allows then.

    Under a time budget they are no longer than they have to be, unless there are as many as there may be: what is left
    of the time is as useful to the training.

    Args:
        ratio: time of search and winner together as a multiple of a training's, above 1.
        shortest: share of a training, above 0 and up to 1, at which a trial may be judged.
        epochs: of a training, where rungs have to be whole epochs; None under a time budget.

    Returns:
        None if the ratio is too small for two trials.
    """
    for trials in range(MOST_TRIALS, 1, -1):
        powers = [FACTOR**rung for rung in range(len(_left(trials)) - 1)]
        cost = Halving(trials, tuple(float(power) for power in powers)).ratio() - 1.0
        longest = min((ratio - 1.0) / cost, 1.0 / powers[-1])
        if epochs is not None:
            first = math.floor(longest * epochs + 1e-9)
            if first and first / epochs >= shortest - 1e-9:
                # Multiplied before it is divided: the training counts so too, and must not miss an epoch's end.
                return Halving(trials, tuple(first * power / epochs for power in powers))
        elif longest >= shortest - 1e-9:
            share = longest if trials == MOST_TRIALS else shortest
            return Halving(trials, tuple(share * power for power in powers))
    return None


def survivors(trials: int) -> int:
    """How many of the trials at a rung go on."""
    return max(1, trials // FACTOR)


def chosen(
    scores: Mapping[int, float], count: int, share: float, noise: Mapping[int, float] | None = None
) -> list[int]:
    """The numbers of the trials that go on: the best; of equal ones, those that began first.

    Trial 0, with the values that a search begins with, takes the place of the last of them unless it is clearly worse.
    Trials differ by luck, and what learns fast leads at first by much and in the end by nothing: another has to lead by
    0.01 / share, of which 0.1 is enough, and by more than the noise of the validation images.

    Args:
        scores: mDice by number.
        count: how many go on.
        share: of a training that has passed, above 0 and up to 1.
        noise: by number, leads over trial 0 that other images of the same kind might take away; none where unknown.
    """
    found = sorted(scores, key=lambda number: (-scores[number], number))[:count]
    enough = max(min(_LEAD_AT_END / share, _LARGEST_LEAD), (noise or {}).get(found[-1], 0.0))
    if 0 not in found and scores[found[-1]] - scores.get(0, -math.inf) < enough:
        found[-1] = 0
    return found


def promising(scores: Mapping[int, float]) -> list[int]:
    """The numbers of the trials that go on from a first look: trial 0, and those that clearly lead it.

    Args:
        scores: mDice by number; without trial 0, if it failed, all others go on.
    """
    start = scores.get(0, -math.inf)
    return [number for number in sorted(scores) if number == 0 or scores[number] >= start + _PROMISING]


def without_idle_start(scores: Mapping[int, float], labels: int, outside: bool) -> Mapping[int, float]:
    """The scores by the number of a trial; without that of trial 0 if it has learned nothing, and another more.

    Args:
        labels: see `has_learned`.
        outside: whether its values lie outside of what is searched: then it is enough that another is no worse.
    """
    start = scores.get(0)
    others = {number: score for number, score in scores.items() if number != 0}
    if start is None or not others or has_learned(start, labels):
        return scores
    return others if max(others.values()) >= start + (0.0 if outside else _CLEARLY) else scores


def has_learned(score: float | None, labels: int) -> bool:
    """Whether a network is clearly better than answers that do not look at the image.

    Such answers give label i to a share q_i of all pixels, whatever is there. It has the share p_i of them, so that its
    Dice is 2 p_i q_i / (p_i + q_i). The mean over n labels is largest for q = p, and 1 / n there.

    Args:
        score: mDice, background included.
        labels: how many the mean is taken over, background included.
    """
    return score is not None and score > 1.0 / labels + _CLEARLY


def _left(trials: int) -> list[int]:
    """The trials that begin, and that are left after each rung until there is one."""
    return [trials, *_left(survivors(trials))] if trials > 1 else [trials]
