"""How many trials a plan leaves time for, how long they have to be, and what they leave to the training."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

from otx_seg.datasets import TrainingData
from otx_seg.datasets.loading.epoch_sampler import EpochSize
from otx_seg.errors import UsageError
from otx_seg.hpo.halving import SHORTEST_SHARE, Halving, has_learned, plan_halving
from otx_seg.hpo.space import space_of
from otx_seg.hpo.trial import Outcome
from otx_seg.template import Template
from otx_seg.training.setup.plan import Plan

logger = logging.getLogger(__name__)

FEWEST_STEPS = 500
"""Steps before which the fastest start is ahead, not the best training; half of a training's if it has fewer than twice
as many."""

_WARMUPS = 3
"""Warm-ups before which the same is true: a rate that is too high looks good as long as a part of it is in force."""

_MAX_MINUTES = "learning_parameters.max_minutes"
_MOSTLY = 0.95  # of all steps of the epochs
_WORTH_A_LOOK = 1.5  # a look pays if a trial is at least this many times as long as the look


def plan_search(plan: Plan, data: TrainingData) -> tuple[Plan, Halving]:
    """The trials of a plan's search. Where nobody asked for a time ratio, the plan gets the usual one or, if epochs end
    the training and it takes more, one that leaves time for two trials.

    Raises:
        UsageError: there is nothing to search, nothing to compare trials by, or no time for two of them.
    """
    assert plan.search is not None
    if not data.scorable:
        raise UsageError(
            "--enable-hpo: the validation images show none of the labels that scores count, so that trials cannot be "
            "compared; give validation images that show them"
        )
    if not space_of(plan.template, len(data.train)):
        raise UsageError(
            f"template {plan.template.name}: search_space holds nothing to choose from with {len(data.train)} training "
            "images; add learning_parameters.learning_rate"
        )
    shortest, epochs = SHORTEST_SHARE, None
    if not minutes_of(plan):  # else how long steps take shows in the first trial
        epochs = plan.template.hyper_parameters.learning_parameters.num_iters
        share = max(shortest, fewest_steps(plan.template, data) / steps_of_all_epochs(plan.template, data))
        shortest = math.ceil(share * epochs - 1e-9) / epochs
        if not plan.search.asked:
            ratio = max(plan.search.ratio, _two_digits(1.0 + shortest))
            plan = replace(plan, search=replace(plan.search, ratio=ratio))
    assert plan.search is not None
    halving = plan_halving(plan.search.ratio, shortest, epochs)
    if halving is None:
        raise UsageError(
            f"--hpo-time-ratio {plan.search.ratio:g}: is too little for two trials, because one takes at least "
            f"{100 * shortest:.0f} % of this training; give {_two_digits(1.0 + shortest):.2f} or more"
        )
    return plan, halving


def settle_length(
    plan: Plan, data: TrainingData, halving: Halving, look: Outcome, go_on: Callable[[float, int], Outcome]
) -> Halving:
    """Train trial 0 under a time budget until its score means something; how long that takes decides how many trials
    there are.

    Where the time is too short for two trials that can be compared, there are none but trial 0, which has lost nothing
    then: it is the training. Unless it learns nothing: then a second one is trained as far as the time allows, since
    what it learns, if it does, is no matter of luck.

    Where trials have to be longer than a first look at trial 0, and it has learned something by then, the others are
    looked at there: most of them are not ahead, and end at once.

    Args:
        halving: of the search, if trials could be as short as can be.
        look: at trial 0, where those would be judged.
        go_on: trains it on, up to a share of a training or until so many steps are made.
    """
    assert plan.search is not None
    steps, longest = fewest_steps(plan.template, data), min(plan.search.ratio - 1.0, 1.0)
    if look.failure or look.steps >= steps:
        return halving
    first = go_on(longest, steps)
    share = min(first.share, longest)
    if first.steps < steps and not first.failure:
        return _too_short(plan, data, share, steps, first)
    halving = plan_halving(plan.search.ratio, share) or halving
    # What nobody has learned at a first look tells nobody apart.
    looks = halving.rungs[0] >= _WORTH_A_LOOK * look.share and has_learned(look.score, data.labels_in_mean)
    return replace(halving, rungs=(look.share, *halving.rungs), looks=True) if looks else halving


def _too_short(plan: Plan, data: TrainingData, share: float, steps: int, first: Outcome) -> Halving:
    """
    Args:
        share: of a training that trial 0 has passed, the longest for which there is time twice.
        steps: that trials need to be compared.
        first: outcome of trial 0.
    """
    assert plan.search is not None
    made = max(first.steps, 1)
    needed, ways = share * steps / made, []  # share of the training that a trial takes, and what leaves time for two
    if not _ends_by_epochs(plan, data, made / share):
        enough = minutes_of(plan) * needed / min(plan.search.ratio - 1.0, 1.0)
        unit = 10.0 ** (math.floor(math.log10(enough)) - 1)  # two digits are said, and have to be enough
        ways.append(f"{_MAX_MINUTES} of {math.ceil(enough / unit - 1e-9) * unit:g}")
    if needed <= 1.0:
        ways.append(f"--hpo-time-ratio {_two_digits(1.0 + needed):.2f}")
    why = "the %d steps after which trials can be compared take %.0f %% of this training, too much for two of them"
    what = (steps, 100 * needed, " or ".join(ways))
    if has_learned(first.score, data.labels_in_mean):
        logger.warning(f"no search: {why}; give it %s. Training with the given values", *what)
        return Halving(1, (share,))
    logger.warning(
        f"with the given values nothing is learned in %d steps (mDice %.4f). One other trial is made: {why}; "
        "give it %s for a search",
        made,
        first.score or 0.0,
        *what,
    )
    return Halving(2, (share,))


def with_time_left(plan: Plan, data: TrainingData, lost_s: float, share: float, steps: int) -> Plan:
    """The plan of the training after a search, under a time budget with what the search did not need of its time.

    Args:
        lost_s: seconds of the trials that were stopped.
        share: of the training that has passed, above 0 and up to 1.
        steps: that it has made.
    """
    assert plan.search is not None
    minutes = minutes_of(plan)
    more = (plan.search.ratio - 1.0) * minutes - lost_s / 60
    if more <= 0.0 or share == 1.0 or _ends_by_epochs(plan, data, steps / share):
        return plan
    logger.info("the search has left %.3g minutes of its time, which the training gets", more)
    return replace(plan, template=plan.template.override({_MAX_MINUTES: round(minutes + more, 4)}))


def minutes_of(plan: Plan) -> float:
    """The time budget of a plan's training; 0 where epochs end it."""
    return plan.template.hyper_parameters.learning_parameters.max_minutes


def _ends_by_epochs(plan: Plan, data: TrainingData, steps: float) -> bool:
    """Whether a training that makes so many steps is ended by its epochs, not by its time budget."""
    return steps >= _MOSTLY * steps_of_all_epochs(plan.template, data)


def _two_digits(ratio: float) -> float:
    """Those after the point are said, and have to be enough."""
    return math.ceil(100 * ratio - 1e-9) / 100


def steps_of_all_epochs(template: Template, data: TrainingData) -> int:
    """Steps of a training that neither time nor early stopping ends."""
    parameters = template.hyper_parameters.learning_parameters
    epoch = EpochSize(
        len(data.train), parameters.step_images, world_size=1, rounds=parameters.rounds_per_epoch, new=len(data.new)
    )
    return epoch.steps * parameters.num_iters


def fewest_steps(template: Template, data: TrainingData) -> int:
    """Steps after which a trial may be judged: scores have to mean something, and the warm-up has to be long over."""
    warmup = template.hyper_parameters.learning_parameters.learning_rate_warmup_iters
    return min(max(FEWEST_STEPS, _WARMUPS * warmup), steps_of_all_epochs(template, data) // 2)
