"""Making a trial the training of its run: the one that a search chose, or another where that one fails."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from otx_seg.configuration.facts import Decision
from otx_seg.hpo.space import values_of
from otx_seg.report.trials import Trials, describe_trials, describe_values, read_trials, write_trials
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.setup.folder import write_decisions
from otx_seg.training.setup.plan import Plan
from otx_seg.workspace.atomic import write_atomic, write_text
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)


def promote(plan: Plan, run: RunFolder, found: Trials) -> Plan:
    """Make the chosen trial of a search the run's own training; the plan to resume it."""
    trial = run.trial(found.chosen)
    write_trials(run.trials, found)
    if len(found.trials) > 1:
        logger.info("%s", describe_trials(found))
    if trial.metrics.exists():
        write_atomic(run.metrics, trial.metrics.read_bytes())
    write_atomic(run.weights, trial.weights.read_bytes())
    for network in trial.best_networks():
        write_atomic(run.checkpoint.with_name(network.name), network.read_bytes())
    values = found.chosen_trial.values
    chosen = plan.template.override(values)
    write_text(run.template, chosen.as_yaml())
    decisions = with_found(plan.decisions, values, found.trials[0].values)
    write_decisions(run, decisions)
    return replace(plan, template=chosen, decisions=decisions, state=read_checkpoint(trial.checkpoint))


def promote_next(plan: Plan, run: RunFolder, failure: str) -> Plan | None:
    """Make the best of the other trials the run's own training, after the chosen one failed; the plan to resume it.

    Args:
        failure: why it has.

    Returns:
        None if the run began with no search, or none of those that came to its last rung is left.
    """
    if not run.trials.exists():
        return None
    found = read_trials(run.trials)
    # Not the chosen one if this process was killed before the first checkpoint of the other one.
    candidates = [trial for trial in found.trials if trial.values == values_of(plan.template, trial.values)]
    at_work = next((trial for trial in candidates if trial.number == found.chosen), candidates[0])
    failed = replace(at_work, outcome="failed", failure=failure)
    trials = [failed if trial is at_work else trial for trial in found.trials]
    left = [one for one in trials if one.outcome != "failed" and run.trial(one.number).checkpoint.exists()]
    if not left:
        return None
    following = max(left, key=lambda trial: (trial.scores[-1], -trial.number))
    logger.warning(
        "trial %d (%s), the chosen one, failed in the final training: %s. The best of the others resumes from %.0f %%, "
        "which takes longer than planned: trial %d (%s)",
        failed.number,
        describe_values(failed.values),
        failure,
        100 * found.rungs[len(following.scores) - 1],
        following.number,
        describe_values(following.values),
    )
    trials = [replace(trial, outcome="chosen") if trial is following else trial for trial in trials]
    return promote(plan, run, replace(found, chosen=following.number, trials=tuple(trials)))


def with_found(decisions: Sequence[Decision], values: dict[str, Any], first: dict[str, Any]) -> tuple[Decision, ...]:
    """The decisions after a search for hyper-parameters.

    Args:
        values: what the search found, ``{"group.name": value}``.
        first: what it began with.
    """

    def after(item: Decision) -> Decision:
        value = values.get(item.parameter, item.value)
        if value == item.value:
            return item
        if value == first[item.parameter]:
            return Decision(item.parameter, value, "what the search began with")
        return Decision(item.parameter, value, f"found by the search, which began with {first[item.parameter]}")

    return tuple(map(after, decisions))
