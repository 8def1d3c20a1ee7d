"""A search from its first trial to the training that goes on.

1. Trial 0 has the values that the template names or that were decided; the next ones differ in one of them, a quarter
   of its range up and down, learning rates first; after them Optuna's TPE chooses from the scores so far.
2. All start from the same weights, with the same seed and split, and follow the learning rate of a whole training.
3. At each rung the best third goes on from where it was paused, the others are stopped and their weights deleted. Those
   stopped at the last rung, or at a first look, keep theirs. Trial 0 goes on as long as those that do are not clearly
   better.
4. The last one left is the training itself: it is taken over into the run and goes on to its end, under a time budget
   with the time that the search has left over. If its loss diverges on the way, the best of the others of the last rung
   goes on instead.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import replace
from typing import Any

import torch

from otx_seg.errors import OtxError, interrupted_by
from otx_seg.hpo.halving import Halving, chosen, promising, survivors, without_idle_start
from otx_seg.hpo.length import minutes_of, plan_search, settle_length, with_time_left
from otx_seg.hpo.progress import LastPart, PartOfJob
from otx_seg.hpo.promote import promote
from otx_seg.hpo.space import space_of, values_of
from otx_seg.hpo.study import Study
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask
from otx_seg.hpo.workers import Workers, visible_gpus
from otx_seg.metrics.paired import NOISE, standard_error
from otx_seg.models.network import SegmentationNetwork
from otx_seg.report.trials import Trial, Trials, describe_values
from otx_seg.template.plain_names import in_short
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.context import TrainContext
from otx_seg.training.loggers import Loggers
from otx_seg.training.setup.build import build_trainer
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.search_settings import write_settings
from otx_seg.training.state import random_state
from otx_seg.training.stopping import InterruptedRunError, StopRequest
from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import delete_tensors

logger = logging.getLogger(__name__)


class Search:
    """A search in the folder of a run; making one writes nothing."""

    def __init__(self, plan: Plan, context: TrainContext, network: SegmentationNetwork, origin: str) -> None:
        """
        Args:
            context: of the training that the search is for; its cache is for the trials that this process trains.
            network: that all trials start from; of no use afterwards.
            origin: how its weights began.

        Raises:
            UsageError: there is nothing to search, no time for it, or the template names what cannot be built.
        """
        self.plan, self.halving = plan_search(plan, context.data)
        assert self.plan.search is not None
        self.context, self.run, self.settings = context, context.run, self.plan.search
        context = replace(context, template=plan.template, loggers=Loggers(), cache=None)
        size = self.settings.parallel or max(1, len(visible_gpus()))
        self.trial_context = TrialContext(context, plan.deterministic, size)
        self.space = space_of(plan.template, len(context.data.train))
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        self.beginning = {"network": weights, "random": random_state(), "origin": origin}
        build_trainer(replace(context, cache=self.context.cache), network, origin).close()

    def prepare(self) -> None:
        """Write down what a search begins with, before a new one."""
        write_tensors(self.trial_context.beginning, self.beginning)
        write_settings(self.run, self.settings, self.plan.template)

    def find(self) -> tuple[Plan, Loggers]:
        """Search, or go on with a search; the plan of the training that is left, to be resumed, and its loggers.

        Raises:
            InterruptedRunError: by a signal; the search can go on.
            OtxError: all trials failed, or something else than a trial did.
        """
        assert self.context.cache is not None
        first = values_of(self.plan.template, self.space)
        # A higher rate first undoes what a trained network knows; random weights have nothing to lose.
        untrained = self.plan.known is None
        self.study = Study(self.run.search, self.space, first, self.plan.seed, faster=untrained)
        with StopRequest() as self.stop_request:
            try:
                with Workers(self.trial_context, self.context.cache) as self.workers:
                    self._settle()
                    self._tell_what_follows()
                    found = self._found(self._halve())
            except (InterruptedRunError, KeyboardInterrupt) as error:
                raise InterruptedRunError(
                    f"the search was {interrupted_by(error)}; finished trials are saved",
                    resume_command(TRAIN, self.run.path),
                ) from error
        self.run.check_there()
        return self._begin_training(found)

    # ------------------------------------------------------------------ how long

    def _settle(self) -> None:
        """Under a time budget, let trial 0 show how long a trial has to be for its score to mean something."""
        recorded = self.study.halving()
        if recorded is None:
            recorded = self._settled() if minutes_of(self.plan) else self.halving
            self.study.record_halving(recorded)
        self.halving = recorded
        look = self.study.look()
        if self.halving.looks and look is not None:
            self.study.record(0, 0, look)

    def _settled(self) -> Halving:
        look = self.study.look()
        if look is None:
            look = self._train_first(self.halving.rungs[0])
            self.study.record_look(look)
        return settle_length(self.plan, self.context.data, self.halving, look, self._train_first)

    def _train_first(self, share: float, steps: float = math.inf) -> Outcome:
        self._start(0, share, steps)
        return next(self.workers.done(self._check))[1]

    def _tell_what_follows(self) -> None:
        if self.halving.trials == 1:
            return
        ranges = [f"{in_short(name)} {limits.low:g} to {limits.high:g}" for name, limits in self.space.items()]
        shares = [f"{100 * rung:.0f} %" for rung in self.halving.rungs]
        logger.info(
            "searching %s: %d trials, %sjudged at %s of a training; search and final training take up to %.2f times "
            "as long as the training alone",
            ", ".join(ranges),
            self.halving.trials,
            f"looked at after {shares[0]}, " if self.halving.looks else "",
            ", ".join(shares[1:] if self.halving.looks else shares),
            self._ratio(),
        )

    def _ratio(self) -> float:
        """Time of search and training together as a multiple of the training's."""
        return self.settings.ratio if minutes_of(self.plan) else self.halving.ratio()

    # ------------------------------------------------------------------ rung after rung

    def _halve(self) -> int:
        """The number of the trial that is left."""
        left = list(range(self.halving.trials))
        for rung, share in enumerate(self.halving.rungs):
            outcomes = self._reach(rung, share, left)
            scores = {number: found.score for number, found in outcomes.items() if found.score is not None}
            if not scores:
                reason = next(iter(outcomes.values())).failure
                raise OtxError(f"no trial came to {100 * share:.0f} % of a training: {reason}")
            is_last = rung == len(self.halving.rungs) - 1  # those are needed if the best one fails later
            is_look = self.halving.looks and rung == 0
            going_on = promising(scores) if is_look else self._choose(outcomes, scores, survivors(len(left)), share)
            for number in set(left) - set(scores if is_last or is_look else going_on):
                delete_tensors(self.run.trial(number).path)
            left = going_on
            if len(left) > 1:
                logger.info("at %.0f %%: the trials %s resume", 100 * share, ", ".join(map(str, left)))
            elif not is_look:
                break
        return left[0]

    def _choose(self, outcomes: dict[int, Outcome], scores: dict[int, float], count: int, share: float) -> list[int]:
        labels = self.context.data.labels_in_mean
        compared = without_idle_start(scores, labels, self.study.starts_outside)
        return chosen(compared, count, share, _noise(outcomes))

    def _reach(self, rung: int, share: float, numbers: list[int]) -> dict[int, Outcome]:
        """Train these trials up to a rung, those that are not there yet."""
        outcomes = {number: known for number in numbers if (known := self.study.outcome(number, rung)) is not None}
        waiting = deque(number for number in numbers if number not in outcomes)
        while waiting or self.workers.running:
            while waiting and self.workers.has_room:
                self._start(waiting.popleft(), share)
            for number, outcome in self.workers.done(self._check):
                self.study.record(number, rung, outcome)
                outcomes[number] = outcome
                self._tell(number, outcome)
        return {number: outcomes[number] for number in numbers}

    def _start(self, number: int, share: float, steps: float = math.inf) -> None:
        task = TrialTask(number, self.plan.template.override(self._values(number)), share, steps)
        self.workers.start(task, PartOfJob(self.context.loggers, self._others(number), self._ratio()))

    def _values(self, number: int) -> dict[str, Any]:
        return self.study.values(number, self.halving.trials)

    def _others(self, number: int) -> list[Outcome]:
        """The last outcomes of all trials but this one."""
        reached = [self.study.outcomes(other) for other in range(self.halving.trials) if other != number]
        return [outcomes[-1] for outcomes in reached if outcomes]

    def _check(self) -> None:
        self.run.check_there()
        if self.stop_request.signal_name is not None:
            raise InterruptedRunError(self.stop_request.signal_name) from self.stop_request.interruption

    def _tell(self, number: int, outcome: Outcome) -> None:
        if self.halving.trials == 1:
            return
        came_to = f"mDice {outcome.score:.4f}" if outcome.score is not None else f"failed, {outcome.failure}"
        values = describe_values(self._values(number))
        logger.info("trial %d (%s): %s at %.0f %%", number, values, came_to, 100 * outcome.share)

    # ------------------------------------------------------------------ the end

    def _found(self, left: int) -> Trials:
        trials = []
        for number in range(self.halving.trials):
            reached = self.study.outcomes(number)
            last, scores = reached[-1], tuple(outcome.score for outcome in reached if outcome.score is not None)
            end = "chosen" if number == left else "failed" if last.failure else "stopped"
            how = (last.failure, last.epochs, last.steps, last.seconds, last.process)
            trials.append(Trial(number, self._values(number), scores, end, *how))
        return Trials(self.settings.ratio, self.halving.rungs, left, tuple(trials))

    def _begin_training(self, found: Trials) -> tuple[Plan, Loggers]:
        last, others = self.study.outcomes(found.chosen)[-1], self._others(found.chosen)
        lost_s = sum(other.seconds for other in others)
        plan = with_time_left(self.plan, self.context.data, lost_s, last.share, last.steps)
        longer = minutes_of(plan) / minutes_of(self.plan) if minutes_of(plan) else 1.0
        return promote(plan, self.run, found), LastPart(self.context.loggers, others, longer)


def _noise(outcomes: dict[int, Outcome]) -> dict[int, float]:
    """How far each trial has to lead trial 0 to be better by more than noise, where that is known."""
    changes = {number: torch.tensor(found.changes) for number, found in outcomes.items() if len(found.changes)}
    first = changes.get(0)
    if first is None:
        return {}
    return {number: NOISE * standard_error(found, first) for number, found in changes.items()}
