"""How many trials a plan leaves time for, and how long they have to be."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace

from otx_seg.datasets import TrainingData
from otx_seg.datasets.loading.epoch_sampler import EpochSize
from otx_seg.errors import UsageError
from otx_seg.hpo.halving import SHORTEST_SHARE, Halving, plan_halving
from otx_seg.hpo.space import space_of
from otx_seg.template import Template
from otx_seg.training.setup.plan import Plan

logger = logging.getLogger(__name__)

FEWEST_STEPS = 500
"""Steps before which the fastest start is ahead, not the best training; half of a training's if it has fewer than twice
as many."""

_MAX_MINUTES = "learning_parameters.max_minutes"

_WARMUPS = 3
"""Warm-ups before which the same is true: a rate that is too high looks good as long as a part of it is in force."""

_MOSTLY = 0.95  # of all steps of the epochs


def with_enough_time(plan: Plan, data: TrainingData) -> Plan:
    """The plan of a search; where nobody asked for a time ratio, with the usual one or, if epochs end the training and
    it takes more, one that leaves time for two trials."""
    assert plan.search is not None
    shortest, epochs = _shortest(plan.template, data)
    if plan.search.asked or epochs is None:
        return plan
    return replace(plan, search=replace(plan.search, ratio=max(plan.search.ratio, _two_digits(1.0 + shortest))))


def plan_search(plan: Plan, data: TrainingData) -> Halving:
    """The trials of a plan's search.

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
    shortest, epochs = _shortest(plan.template, data)
    halving = plan_halving(plan.search.ratio, shortest, epochs)
    if halving is None:
        raise UsageError(
            f"--hpo-time-ratio {plan.search.ratio:g}: is too little for two trials, since one takes at least "
            f"{100 * shortest:.0f} % of this training; give {_two_digits(1.0 + shortest):.2f} or more"
        )
    return halving


def _shortest(template: Template, data: TrainingData) -> tuple[float, int | None]:
    """Share of a training after which a trial may be judged, and the epochs of one; None under a time budget."""
    parameters = template.hyper_parameters.learning_parameters
    if parameters.max_minutes:
        return SHORTEST_SHARE, None  # how long its steps take shows in the first trial
    epochs = parameters.num_iters
    share = max(SHORTEST_SHARE, fewest_steps(template, data) / steps_of_all_epochs(template, data))
    return math.ceil(share * epochs - 1e-9) / epochs, epochs


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


def ways_to_longer_trials(plan: Plan, data: TrainingData, needed: float, steps: float) -> Iterator[str]:
    """What leaves time for two trials under a time budget, in words.

    Args:
        needed: share of the training, as it was measured, that a trial takes.
        steps: that the training would make.
    """
    assert plan.search is not None
    if not _ends_by_epochs(plan, data, steps):
        enough = minutes_of(plan) * needed / min(plan.search.ratio - 1.0, 1.0)
        unit = 10.0 ** (math.floor(math.log10(enough)) - 1)  # two digits are said, and have to be enough
        yield f"{_MAX_MINUTES} of {math.ceil(enough / unit - 1e-9) * unit:g}"
    if needed <= 1.0:
        yield f"--hpo-time-ratio {_two_digits(1.0 + needed):.2f}"


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
        len(data.train), parameters.batch_size, world_size=1, rounds=parameters.rounds_per_epoch, new=len(data.new)
    )
    return epoch.steps * parameters.num_iters


def fewest_steps(template: Template, data: TrainingData) -> int:
    """Steps after which a trial may be judged: scores have to mean something, and the warm-up has to be long over."""
    warmup = template.hyper_parameters.learning_parameters.learning_rate_warmup_iters
    return min(max(FEWEST_STEPS, _WARMUPS * warmup), steps_of_all_epochs(template, data) // 2)
