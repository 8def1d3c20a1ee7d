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
from collections import deque
from concurrent.futures import Future, wait
from dataclasses import replace

from otx_seg.errors import OtxError, interrupted_by
from otx_seg.hpo.first_trial import settle_length, without_idle_start
from otx_seg.hpo.halving import chosen, promising, survivors
from otx_seg.hpo.length import minutes_of, plan_search, with_enough_time, with_time_left
from otx_seg.hpo.progress import WholeJob
from otx_seg.hpo.promote import promote
from otx_seg.hpo.space import space_of, values_of
from otx_seg.hpo.study import Study
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask
from otx_seg.hpo.workers import first_done, open_workers, visible_gpus
from otx_seg.models.network import SegmentationNetwork
from otx_seg.report.trials import Trial, Trials, describe_values
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

_SAVING_S = 120.0  # for processes that were asked to end


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
        plan = with_enough_time(plan, context.data)
        assert plan.search is not None
        assert context.cache is not None
        self.plan, self.run, self.cache = plan, context.run, context.cache
        self.trial_context = trial_context = TrialContext(
            context.data, context.label_weights, context.seed, plan.deterministic, context.run.search
        )
        self.settings = plan.search
        self.halving = plan_search(plan, trial_context.data)
        self.space = space_of(plan.template, len(trial_context.data.train))
        weights = {name: value.clone() for name, value in network.state_dict().items()}
        self.beginning = {"network": weights, "random": random_state(), "origin": origin}
        build_trainer(replace(context, template=plan.template, loggers=Loggers()), network, origin).close()
        self.whole = WholeJob(context.loggers, self._ratio())
        self.outcomes: dict[int, list[Outcome]] = {}
        self.running: dict[Future[Outcome], int] = {}
        self.chosen, self.longer = 0, 1.0

    def find(self) -> Plan:
        """Search, or go on with a search; the plan of the training that is left, to be resumed.

        Raises:
            InterruptedRunError: by a signal; the search can go on.
            OtxError: all trials failed, or something else than a trial did.
        """
        first = values_of(self.plan.template, self.space)
        # A higher rate first undoes what a trained network knows; random weights have nothing to lose.
        untrained = self.plan.known is None
        self.study = Study(self.run.search, self.space, first, self.plan.seed, faster=untrained)
        size = self.settings.parallel or max(1, len(visible_gpus()))
        with StopRequest() as self.stop_request:
            try:
                trial_context = replace(self.trial_context, at_once=size)
                with open_workers(trial_context, size, self._loggers, self.cache) as self.workers:
                    self.chosen = self._search()
            except (InterruptedRunError, KeyboardInterrupt) as error:
                raise InterruptedRunError(
                    f"the search was {interrupted_by(error)}; what is done is saved",
                    resume_command(TRAIN, self.run.path),
                ) from error
        self.run.check_there()
        found = self._found()
        return promote(self._with_time_left(found), self.run, found)

    def _with_time_left(self, found: Trials) -> Plan:
        last = self.outcomes[self.chosen][-1]
        lost_s = sum(trial.seconds for trial in found.trials if trial.number != self.chosen)
        plan = with_time_left(self.plan, self.trial_context.data, lost_s, last.share, last.steps)
        self.longer = minutes_of(plan) / minutes_of(self.plan) if minutes_of(plan) else 1.0
        return plan

    def _search(self) -> int:
        """The number of the trial that is left."""
        try:
            self._settle()
            self._tell_what_follows()
            return self._halve()
        except BaseException:
            self.workers.stop()
            wait(self.running, timeout=_SAVING_S)
            raise

    @property
    def loggers(self) -> Loggers:
        """For the training that is left."""
        last = self.outcomes[self.chosen][-1]
        return self.whole.winner(last.share, last.seconds, self.longer)

    def prepare(self) -> None:
        """Write down what a search begins with, before a new one."""
        write_tensors(self.trial_context.beginning, self.beginning)
        write_settings(self.run, self.settings, self.plan.template)

    # ------------------------------------------------------------------ how long

    def _settle(self) -> None:
        """Under a time budget, let trial 0 show how long a trial has to be for its score to mean something."""
        recorded = self.study.halving()
        if recorded is None:
            if minutes_of(self.plan):
                self.halving = settle_length(
                    self.plan,
                    self.trial_context.data,
                    self.halving,
                    start_share=self.study.first_share() or self.halving.rungs[0],
                    train_first=self._train_first,
                    first_outcome=self.study.first_outcome,
                )
            self.study.record_halving(self.halving)
        else:
            self.halving = recorded
        first = self.study.first_outcome()
        if self.halving.looks and first is not None:
            self.study.record(0, 0, first)

    def _train_first(self, share: float) -> Outcome:
        """Trial 0 at a share of a training."""
        self.study.record_first_share(share)
        self.running[self.workers.start(self._stretch(0, share))] = 0
        future = first_done(list(self.running), self._check).pop()
        del self.running[future]
        outcome = future.result()
        if self.study.first_outcome() is None:
            self.study.record_first_outcome(outcome)
        return outcome

    def _tell_what_follows(self) -> None:
        if self.halving.trials == 1:
            return
        ranges = [f"{name.split('.')[1]} {limits.low:g} to {limits.high:g}" for name, limits in self.space.items()]
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
            outcomes = self._reach(rung, left)
            scores = {number: found.score for number, found in outcomes.items() if found.score is not None}
            if not scores:
                reason = next(iter(outcomes.values())).failure
                raise OtxError(f"no trial came to {100 * share:.0f} % of a training: {reason}")
            is_last = rung == len(self.halving.rungs) - 1  # those are needed if the best one fails later
            is_look = self.halving.looks and rung == 0
            going_on = promising(scores) if is_look else self._choose(scores, survivors(len(left)), share)
            for number in set(left) - set(scores if is_last or is_look else going_on):
                delete_tensors(self.trial_context.run_of(number).path)
            left = going_on
            if len(left) > 1:
                logger.info("at %.0f %%: the trials %s go on", 100 * share, ", ".join(map(str, left)))
            elif not is_look:
                break
        return left[0]

    def _choose(self, scores: dict[int, float], count: int, share: float) -> list[int]:
        labels = self.trial_context.data.labels_in_mean
        return chosen(without_idle_start(scores, labels, self.study.starts_outside), count, share)

    def _reach(self, rung: int, numbers: list[int]) -> dict[int, Outcome]:
        """Train these trials up to a rung, those that are not there yet."""
        outcomes: dict[int, Outcome] = {}
        waiting = deque(numbers)
        while waiting or self.running:
            while waiting and len(self.running) < self.workers.size:
                number = waiting.popleft()
                task = self._stretch(number, self.halving.rungs[rung])
                known = self.study.outcome(number, rung)
                if known is None:
                    self.running[self.workers.start(task)] = number
                else:
                    outcomes[number] = known
                    self._note(number, rung, known)
            for future in first_done(list(self.running), self._check) if self.running else ():
                number = self.running.pop(future)
                outcomes[number] = future.result()
                self._note(number, rung, outcomes[number])
                self._tell(number, outcomes[number])
        return outcomes

    def _stretch(self, number: int, until: float) -> TrialTask:
        values = self.study.values(number, self.halving.trials)
        return TrialTask(number, self.plan.template.override(values), until)

    def _check(self) -> None:
        self.run.check_there()
        if self.stop_request.signal_name is not None:
            raise InterruptedRunError(self.stop_request.signal_name) from self.stop_request.interruption

    def _note(self, number: int, rung: int, outcome: Outcome) -> None:
        self.study.record(number, rung, outcome)
        before = self._before(number)
        self.outcomes.setdefault(number, []).append(outcome)
        self.whole.spent(outcome.share - before[0], outcome.seconds - before[1])

    def _before(self, number: int) -> tuple[float, float]:
        """Share of a training and seconds that a trial had behind it at the last rung."""
        reached = self.outcomes.get(number)
        return (reached[-1].share, reached[-1].seconds) if reached else (0.0, 0.0)

    def _loggers(self, task: TrialTask) -> Loggers:
        return self.whole.trial(*self._before(task.number))

    def _tell(self, number: int, outcome: Outcome) -> None:
        if self.halving.trials == 1:
            return
        came_to = f"mDice {outcome.score:.4f}" if outcome.score is not None else f"failed, {outcome.failure}"
        values = describe_values(self.study.values(number, self.halving.trials))
        logger.info("trial %d (%s): %s at %.0f %%", number, values, came_to, 100 * outcome.share)

    # ------------------------------------------------------------------ the end

    def _found(self) -> Trials:
        trials = []
        for number, reached in sorted(self.outcomes.items()):
            last = reached[-1]
            outcome = "chosen" if number == self.chosen else "failed" if last.failure else "stopped"
            scores = tuple(outcome.score for outcome in reached if outcome.score is not None)
            values = self.study.values(number, self.halving.trials)
            trials.append(
                Trial(
                    number,
                    values,
                    scores,
                    outcome,
                    last.failure,
                    epochs=last.epochs,
                    steps=last.steps,
                    seconds=last.seconds,
                    process=last.process,
                )
            )
        return Trials(self.settings.ratio, self.halving.rungs, self.chosen, tuple(trials))
