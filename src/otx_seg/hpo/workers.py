"""Where trials are trained: in this process one after another, or in several at once."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from types import TracebackType

import torch

from otx_seg.child_process import ChildError, ChildProcess
from otx_seg.datasets.loading.memory_cache import Cache
from otx_seg.errors import OtxError
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask, open_shared_cache, train_trial
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.loggers import Logger, Loggers
from otx_seg.workspace.command_line import resume_command

_LOOK_S = 0.2  # from one look at signals to the next
_SAVING_S = 120.0  # for processes that were asked to end


class Workers:
    """Trains as many trials at once as the context says; several in processes of their own, each with a cache and a
    GPU, by turns where there are fewer, or its share of the processors.

    Args:
        cache: for the trials that this process trains.
    """

    def __init__(self, trial_context: TrialContext, cache: Cache) -> None:
        self.trial_context, self.cache = trial_context, cache
        self.running: dict[Future[Outcome], int] = {}
        self.processes: list[ChildProcess] = []
        self.free: queue.SimpleQueue[ChildProcess] = queue.SimpleQueue()
        self.threads = ThreadPoolExecutor(trial_context.at_once)

    def __enter__(self) -> Workers:
        size = self.trial_context.at_once
        for index in range(size if size > 1 else 0):
            with (self.trial_context.training.run.search / f"worker-{index}.log").open("ab") as log:
                environment, advice = _environment(index, size), "train fewer trials at once"
                self.processes.append(ChildProcess(__name__, TrialSession.__name__, log, environment, advice))
            self.free.put(self.processes[-1])
        return self

    @property
    def has_room(self) -> bool:
        """Whether a trial can be started that does not have to wait."""
        return len(self.running) < self.trial_context.at_once

    def start(self, task: TrialTask, told: Logger) -> None:
        """Let a process train that has nothing to do, or train here and now.

        Args:
            told: of a training in this process.
        """
        if self.processes:
            future = self.threads.submit(self._train, task)
        else:
            future = Future()
            future.set_result(train_trial(self.trial_context, task, Loggers([told]), self.cache))
        self.running[future] = task.number

    def _train(self, task: TrialTask) -> Outcome:
        process = self.free.get()
        try:
            outcome: Outcome = process.ask("train", trial_context=self.trial_context, task=task)
            return outcome
        except ChildError as error:
            go_on = resume_command(TRAIN, self.trial_context.training.run.path)
            raise OtxError(f"trial {task.number}: {error}", go_on) from error
        finally:
            self.free.put(process)

    def done(self, check: Callable[[], None]) -> Iterator[tuple[int, Outcome]]:
        """Wait until a trial is paused, and give the numbers and outcomes of those that are.

        Args:
            check: called now and then; it may raise.
        """
        found: set[Future[Outcome]] = set()
        while not found:
            check()
            found, _ = wait(self.running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        for future in found:
            yield self.running.pop(future), future.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as ending:
            ending.callback(self.threads.shutdown)
            for child in self.processes:
                ending.enter_context(child)
            if error is not None:  # let them save
                for child in self.processes:
                    child.process.terminate()
                wait(self.running, timeout=_SAVING_S)


class TrialSession:
    """The trials that a process of its own trains."""

    cache: Cache | None = None

    def train(self, trial_context: TrialContext, task: TrialTask) -> Outcome:
        self.cache = self.cache or open_shared_cache(trial_context, task.template)
        return train_trial(trial_context, task, Loggers(), self.cache)


def visible_gpus() -> list[str]:
    """The GPUs that processes started here can be given, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]


def _environment(index: int, size: int) -> dict[str, str]:
    gpus = visible_gpus()
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // size))}
    return {**threads, "CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else threads
