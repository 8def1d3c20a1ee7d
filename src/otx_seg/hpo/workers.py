"""Where trials are trained: in this process one after another, or in several at once."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Protocol

import torch

from otx_seg.datasets.loading.memory_cache import Cache
from otx_seg.errors import OtxError
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask, train_trial
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.loggers import Loggers
from otx_seg.workspace.command_line import resume_command

_CODE = "import sys; sys.path[:] = sys.argv[1:]; from otx_seg.hpo.worker import main; main()"
_LOOK_S = 0.2  # from one look at signals to the next


class Workers(Protocol):
    """Trains up to `size` trials at once."""

    size: int

    def start(self, task: TrialTask) -> Future[Outcome]: ...

    def stop(self) -> None: ...

    def __enter__(self) -> Workers: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def first_done(futures: list[Future[Outcome]], check: Callable[[], None]) -> set[Future[Outcome]]:
    """Wait until one is done; `check` is called now and then, and may raise."""
    while True:
        check()
        done, _ = wait(futures, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
        if done:
            return done


class OwnProcess:
    """Trains one trial at a time, here and now."""

    size = 1

    def __init__(self, trial_context: TrialContext, loggers: Callable[[TrialTask], Loggers], cache: Cache) -> None:
        self.trial_context, self.loggers, self.cache = trial_context, loggers, cache

    def start(self, task: TrialTask) -> Future[Outcome]:
        """Train, and give a future that is done."""
        done: Future[Outcome] = Future()
        done.set_result(train_trial(self.trial_context, task, self.loggers(task), self.cache))
        return done

    def stop(self) -> None:
        """Nothing runs between two trials."""

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


class WorkerProcesses:
    """Trains in several processes: each has a GPU, by turns where there are fewer, or its share of the processors."""

    def __init__(self, trial_context: TrialContext, size: int) -> None:
        self.trial_context, self.size = trial_context, size
        self.free: queue.SimpleQueue[_WorkerProcess] = queue.SimpleQueue()
        self.processes: list[_WorkerProcess] = []
        self.threads = ThreadPoolExecutor(size)

    def __enter__(self) -> WorkerProcesses:
        for index in range(self.size):
            process = _WorkerProcess(self.trial_context, index, _environment(index, self.size))
            self.processes.append(process)
            self.free.put(process)
        return self

    def start(self, task: TrialTask) -> Future[Outcome]:
        """Let a process train that has nothing to do."""
        return self.threads.submit(self._train, task)

    def _train(self, task: TrialTask) -> Outcome:
        process = self.free.get()
        try:
            return process.train(task)
        finally:
            self.free.put(process)

    def stop(self) -> None:
        """Let all processes save and end."""
        for process in self.processes:
            process.terminate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.close()
        self.threads.shutdown()


class _WorkerProcess:
    """A process that trains trials, see `worker`; it ends when this one does."""

    def __init__(self, trial_context: TrialContext, index: int, environment: dict[str, str]) -> None:
        self.log = trial_context.folder / f"worker-{index}.log"
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

    def _tell(self, message: object) -> None:
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
                resume_command(TRAIN, self.log.parents[1]),
            ) from error
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Outcome)
        return answer

    def terminate(self) -> None:
        """Let it save and end."""
        self.process.terminate()

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


def visible_gpus() -> list[str]:
    """The GPUs that processes started here can be given, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]


def _environment(index: int, size: int) -> dict[str, str]:
    gpus = visible_gpus()
    threads = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // size))}
    return {**threads, "CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else threads


def open_workers(
    trial_context: TrialContext, size: int, loggers: Callable[[TrialTask], Loggers], cache: Cache
) -> Workers:
    """Processes for `size` trials at once, each with a cache of its own; for one at a time, this one with `cache`."""
    return OwnProcess(trial_context, loggers, cache) if size == 1 else WorkerProcesses(trial_context, size)
