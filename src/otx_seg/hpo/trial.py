"""One trial of a search: a training with its own hyper-parameters, which is paused at each rung."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from otx_seg.datasets.loading.memory_cache import Cache, room_for
from otx_seg.labels import Labels
from otx_seg.metrics.paired import measured
from otx_seg.metrics.watched import M_DICE
from otx_seg.template import Template
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.context import TrainContext
from otx_seg.training.loggers import Logger, Loggers, ValidationReport, read_metrics
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.out_of_memory import OutOfMemoryError
from otx_seg.training.setup.build import build_trainer, make_deterministic, new_network
from otx_seg.training.state import restore_random_state
from otx_seg.training.trainer import Trainer
from otx_seg.training.views import open_training_cache
from otx_seg.workspace.atomic import write_json, write_text
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.tensor_file import read_tensors

_CHANGES = "changes.json"


@dataclass(frozen=True)
class TrialContext:
    """What all trials of a search have in common.

    Attributes:
        training: that the search is for; its loggers and its cache stay with the process that searches.
        at_once: trials that share the memory and the processors of this machine.
    """

    training: TrainContext
    deterministic: bool
    at_once: int = 1

    @property
    def beginning(self) -> Path:
        """The file of weights and random state that every trial begins with."""
        return self.training.run.search / "beginning.pth"


@dataclass(frozen=True)
class TrialTask:
    """Train a trial up to a share of a whole training, 0 to 1, or until it has made so many steps."""

    number: int
    template: Template
    until: float
    steps: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """A trial at a rung.

    Attributes:
        score: its last validation mDice, which includes the background; None if it failed. Not its best one, which may
            be luck; and not the Dice without background, which falls to 0 when a network that answered at random
            begins to learn: first it learns what is background.
        share: of a whole training, that has passed.
        seconds: of training, from its beginning.
        failure: why it failed; empty if it did not.
        process: that trained it last.
        changes: what each validation image changes in the score, see `paired_difference`; empty if it failed.
    """

    score: float | None
    share: float
    epochs: int
    steps: int
    seconds: float
    failure: str
    process: int
    changes: Sequence[float] = ()


def train_trial(trial_context: TrialContext, task: TrialTask, loggers: Loggers, cache: Cache) -> Outcome:
    """Train a trial up to a rung, from where it was paused or interrupted; a loss that is no number is an outcome.

    Args:
        cache: of decoded files, which all trials of this process share: none of them decodes anew.

    Raises:
        InterruptedRunError: by a signal; its state is saved.
        OtxError: no trial could be trained like this.
    """
    run = trial_context.training.run.trial(task.number)
    write_text(run.template, task.template.as_yaml())
    training = _open(trial_context, task, run, loggers, cache)
    failure = ""
    try:
        training.fit(task.until, task.steps)
    except (DivergedError, OutOfMemoryError) as error:
        failure = str(error)
    at = training.state
    outcome = Outcome(
        None if failure else _last_score(run),
        1.0 if at.ended else training.progress,
        at.epoch,
        at.step,
        training.elapsed_s,
        failure,
        os.getpid(),
        () if failure else _last_changes(run),
    )
    del training
    free_memory()
    return outcome


def _open(trial_context: TrialContext, task: TrialTask, run: RunFolder, loggers: Loggers, cache: Cache) -> Trainer:
    training = trial_context.training
    make_deterministic(training.seed, trial_context.deterministic)
    network = new_network(task.template, training.data)
    beginning: dict[str, Any] = read_tensors(trial_context.beginning)
    network.load_state_dict(beginning["network"])
    restore_random_state(beginning["random"])
    template = _with_its_share(task.template, trial_context.at_once)
    if task.number > 0:
        # What would go on with smaller batches would be another trial than the one that is compared.
        template = template.override({"learning_parameters.auto_adapt_batch_size": "None"})
    loggers = Loggers([loggers, _ChangesFile(run.path / _CHANGES, training.data.train.labels)])
    context = replace(training, template=template, run=run, loggers=loggers, cache=cache)
    trainer = build_trainer(context, network, beginning["origin"])
    if run.checkpoint.exists():
        trainer.resume(read_checkpoint(run.checkpoint))
    return trainer


def open_shared_cache(trial_context: TrialContext, template: Template) -> Cache:
    """The cache of a process that trains some of the trials."""
    size = room_for(template.hyper_parameters.algo_backend.mem_cache_size) // trial_context.at_once
    return open_training_cache(trial_context.training.data, template.override({"algo_backend.mem_cache_size": size}))


def _with_its_share(template: Template, trials: int) -> Template:
    """A template for one of so many trials at once: who loads its images does not change what is learned."""
    workers = template.hyper_parameters.learning_parameters.num_workers
    return template.override({"learning_parameters.num_workers": workers // trials}) if trials > 1 else template


def _last_score(run: RunFolder) -> float:
    """The last validation mDice in a run's journal: this process may have found the trial at its rung."""
    scores = [entry["mDice"] for entry in read_metrics(run.metrics) if "mDice" in entry]
    return float(scores[-1])


class _ChangesFile(Logger):
    """Keeps what each image changes in the last mDice, for the process that finds the trial at its rung."""

    def __init__(self, path: Path, labels: Labels) -> None:
        self.path, self.labels = path, labels

    def on_validation(self, report: ValidationReport) -> None:
        if report.per_image is not None:
            _, changes = measured(report.per_image, M_DICE, self.labels)
            write_json(self.path, changes.tolist())


def _last_changes(run: RunFolder) -> list[float]:
    """Empty where an earlier version made the last validation."""
    path = run.path / _CHANGES
    return (
        read_own(path, list[float], "delete it; the noise of these scores then does not count") if path.exists() else []
    )


def free_memory() -> None:
    """Give back what a training that is over took."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
