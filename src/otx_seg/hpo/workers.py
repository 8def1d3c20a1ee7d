"""Where trials are trained: in this process one after another, or in several at once.

A worker is told on stdin what to do, by pickles: the `TrialContext`, then one `TrialTask` after another. It answers
each with an `Outcome` or an exception. It ends when stdin does, whatever it is doing, so that it never outlives the
process that started it; a trial cut short goes on from its last checkpoint.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any

import torch

from otx_seg.datasets.loading.memory_cache import Cache
from otx_seg.errors import OtxError
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask, open_shared_cache, train_trial
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.loggers import Logger, Loggers
from otx_seg.workspace.command_line import resume_command

_CODE = "import sys; sys.path[:] = sys.argv[1:]; from otx_seg.hpo.workers import answer_tasks; answer_tasks()"
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
        self.processes: list[_WorkerProcess] = []
        self.free: queue.SimpleQueue[_WorkerProcess] = queue.SimpleQueue()
        self.threads = ThreadPoolExecutor(trial_context.at_once)

    def __enter__(self) -> Workers:
        size = self.trial_context.at_once
        for index in range(size if size > 1 else 0):
            self.processes.append(_WorkerProcess(self.trial_context, index, _environment(index, size)))
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
            return process.train(task)
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
        try:
            if error is not None:  # let them save
                for process in self.processes:
                    process.process.terminate()
                wait(self.running, timeout=_SAVING_S)
        finally:
            for process in self.processes:
                process.close()
            self.threads.shutdown()


class _WorkerProcess:
    def __init__(self, trial_context: TrialContext, index: int, environment: dict[str, str]) -> None:
        self.run = trial_context.run
        self.log = self.run.search / f"worker-{index}.log"
        with self.log.open("ab") as log:
            # The very modules of this process, wherever they came from.
            self.process = subprocess.Popen(
                [sys.executable, "-c", _CODE, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment},
            )
        self._tell(trial_context)

    def _tell(self, message: TrialContext | TrialTask) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(message, self.process.stdin)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # whoever waits for the answer sees that the process is gone

    def train(self, task: TrialTask) -> Outcome:
        """
        Raises:
            OtxError: what the training raised, or the process is gone.
        """
        assert self.process.stdout is not None
        self._tell(task)
        try:
            answer = pickle.load(self.process.stdout)
        except (EOFError, pickle.UnpicklingError) as error:
            code = self.process.wait()
            how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
            why = ", most likely for want of memory: train fewer trials at once" if code == -signal.SIGKILL else ""
            raise OtxError(
                f"the process that trained trial {task.number} was ended {how}{why}; details: {self.log}",
                resume_command(TRAIN, self.run.path),
            ) from error
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Outcome)
        return answer

    def close(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def answer_tasks() -> None:
    """What a worker does: train until there is nothing left to do."""
    # Ctrl-C and the end of a terminal reach all its processes: the one that started this one decides what ends.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Whatever a library prints must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(arrived,), daemon=True).start()
    trial_context: TrialContext = arrived.get()
    cache: Cache | None = None
    while True:
        task: TrialTask = arrived.get()
        cache = cache or open_shared_cache(trial_context, task.template)
        pickle.dump(_answer(trial_context, task, cache), answers)
        answers.flush()


def _listen(arrived: queue.SimpleQueue[Any]) -> None:
    try:
        while True:
            arrived.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        os._exit(0)


def _answer(trial_context: TrialContext, task: TrialTask, cache: Cache) -> Outcome | OtxError:
    try:
        return train_trial(trial_context, task, Loggers(), cache)
    except OtxError as error:
        return error
    except Exception as error:  # what no one foresaw is told by the process that asked
        traceback.print_exc()
        text = (str(error) or "no message").splitlines()[0]
        logs = trial_context.run.search / "worker-*.log"
        return OtxError(f"trial {task.number} failed: {type(error).__name__}: {text}; details: {logs}")


def visible_gpus() -> list[str]:
    """The GPUs that processes started here can be given, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]


def _environment(index: int, size: int) -> dict[str, str]:
    gpus = visible_gpus()
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // size))}
    return {**threads, "CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else threads
