"""How long the trials of a search are under a time budget, as the first of them shows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from otx_seg.datasets import TrainingData
from otx_seg.hpo.halving import Halving, plan_halving
from otx_seg.hpo.length import fewest_steps, ways_to_longer_trials
from otx_seg.hpo.trial import Outcome
from otx_seg.training.setup.plan import Plan

logger = logging.getLogger(__name__)

_SLOW_START = 4.0  # the steps after the first ones may be this many times as fast
_MARGIN = 1.02  # the speed of the next steps is an estimate
_CLEARLY = 0.05  # of mDice
_WORTH_A_LOOK = 1.5  # a look pays if a trial is at least this many times as long as the look


def settle_length(
    plan: Plan,
    data: TrainingData,
    halving: Halving,
    start_share: float,
    train_first: Callable[[float], Outcome],
    first_outcome: Callable[[], Outcome | None],
) -> Halving:
    """Train trial 0 until its score means something; how long that takes decides how many trials there are.

    Where the time is too short for two trials that can be compared, there are none but trial 0, which has lost nothing
    then: it is the training. Unless it learns nothing: then a second one is trained as far as the time allows, since
    what it learns, if it does, is no matter of luck.

    Where trials have to be longer than what trial 0 was trained for at first, and it has learned something by then, the
    others are looked at there: most of them are not ahead, and end at once.

    Args:
        halving: of the search, if trials could be as short as can be.
        start_share: of a training, above 0 and up to 1, to which trial 0 is trained at first.
        train_first: trains it up to a share of a training, from where it was paused.
        first_outcome: how it did when it was paused for the first time.
    """
    assert plan.search is not None
    steps, longest = fewest_steps(plan.template, data), min(plan.search.ratio - 1.0, 1.0)
    share, outcome = start_share, train_first(start_share)
    # The first steps wait for processes to start and for images to be decoded; those that follow do not.
    speed = _SLOW_START * outcome.steps / share
    while not outcome.failure and outcome.steps < steps:
        if share >= longest:
            return _too_short(plan, data, share, steps, outcome)
        before, made = share, outcome.steps
        share = min(share + _MARGIN * (steps - made) / max(speed, 1.0), longest)
        outcome = train_first(share)
        speed = (outcome.steps - made) / (share - before)
    if share > halving.rungs[0]:
        halving = plan_halving(plan.search.ratio, share) or halving
    early = first_outcome()
    if early is None or _WORTH_A_LOOK * early.share > halving.rungs[0]:
        return halving
    if not has_learned(early.score, data.labels_in_mean):
        return halving  # what nobody has learned by then tells nobody apart
    return replace(halving, rungs=(early.share, *halving.rungs), looks=True)


def _too_short(plan: Plan, data: TrainingData, share: float, steps: int, outcome: Outcome) -> Halving:
    """
    Args:
        share: of a training that trial 0 has passed, the longest for which there is time twice.
        steps: that trials need to be compared.
        outcome: of trial 0.
    """
    made = max(outcome.steps, 1)
    needed = share * steps / made
    ways = " or ".join(ways_to_longer_trials(plan, data, needed, made / share))
    why = "the %d steps after which trials can be compared take %.0f %% of this training, too much for two of them"
    what = (steps, 100 * needed, ways)
    if has_learned(outcome.score, data.labels_in_mean):
        logger.warning(f"no search: {why}; give it %s. Going on with the values as they are", *what)
        return Halving(1, (share,))
    logger.warning(
        f"with the values as they are nothing is learned in %d steps (mDice %.4f). One other trial is made: {why}; "
        "give it %s for a search",
        made,
        outcome.score or 0.0,
        *what,
    )
    return Halving(2, (share,))


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
