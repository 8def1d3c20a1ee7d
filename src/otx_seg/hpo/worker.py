"""The process that trains trials, told which by pickles on stdin; it answers each with an `Outcome` or an exception.

The first pickle is the `TrialContext`, every further one a `TrialTask`. The process ends when stdin does, whatever it
is doing, so that it never outlives the one that started it; a trial cut short goes on from its last checkpoint.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback

from otx_seg.datasets.loading.memory_cache import Cache
from otx_seg.errors import OtxError
from otx_seg.hpo.trial import Outcome, TrialContext, TrialTask, open_shared_cache, train_trial
from otx_seg.training.loggers import Loggers


def main() -> None:
    """Train until there is nothing left to do."""
    # Ctrl-C reaches every process of a terminal: the one that started this one decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):  # so does the end of the terminal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Whatever a library prints must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    arrived: queue.SimpleQueue[TrialContext | TrialTask] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(arrived,), daemon=True).start()
    trial_context = arrived.get()
    assert isinstance(trial_context, TrialContext)
    cache: Cache | None = None
    while True:
        task = arrived.get()
        assert isinstance(task, TrialTask)
        cache = cache or open_shared_cache(trial_context, task.template)
        pickle.dump(_answer(trial_context, task, cache), answers)
        answers.flush()


def _listen(arrived: queue.SimpleQueue[TrialContext | TrialTask]) -> None:
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
        return OtxError(
            f"trial {task.number} failed: {type(error).__name__}: {text}; details: {trial_context.folder}/worker-*.log"
        )
