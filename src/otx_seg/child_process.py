"""A process of this program that answers requests: starting it, asking it, and noticing that it is gone.

Requests and answers are pickles on its stdin and stdout. It ends when its stdin does, whatever it is doing, so that it
never outlives the process that started it.
"""

from __future__ import annotations

import importlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, TypeVar

from otx_seg.errors import OtxError

T = TypeVar("T")

_CODE = """
import sys
module, session, *sys.path[:] = sys.argv[1:]
from otx_seg.child_process import answer_requests
answer_requests(module, session)
"""


class ChildError(Exception):
    """What a child failed of, in words: no error that a user can cause, or it is gone."""


class ChildProcess:
    """A context manager that ends the process.

    Args:
        module, session: where a class is whose methods answer; one object of it is made, in the process alone.
        log: where its stderr goes.
        environment: what it finds in its environment beside what this process does.
        advice: what to do where it was most likely killed for lack of memory.
    """

    def __init__(self, module: str, session: str, log: IO[bytes], environment: Mapping[str, str], advice: str) -> None:
        self.log, self.advice = log.name, advice
        # The very modules of this process, wherever they came from.
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CODE, module, session, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environment},
        )

    def ask(self, do: str, **details: Any) -> Any:
        """What the session's method `do` answers.

        Raises:
            OtxError: as the method raised it.
            ChildError: it raised something else, or the process is gone.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump(pickle.dumps((do, details)), self.process.stdin)
            self.process.stdin.flush()
            is_done, answer = pickle.load(self.process.stdout)
        except (BrokenPipeError, EOFError, pickle.UnpicklingError) as error:
            code = self.process.wait()
            how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
            why = f", most likely for lack of memory: {self.advice}" if code in (-9, 137) else ""
            raise ChildError(f"the process that ran it was ended {how}{why}; details: {self.log}") from error
        if is_done:
            return answer
        raise answer if isinstance(answer, OtxError) else ChildError(f"{answer}; details: {self.log}")

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def answer_requests(module: str, name: str) -> None:
    """What the process does until its stdin ends; see `ChildProcess` for the arguments."""
    # Ctrl-C and the end of a terminal reach all its processes: the one that started this one decides what ends.
    for number in ("SIGINT", "SIGHUP"):
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    # Whatever a library prints must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # nothing is lost when it is killed
    arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(arrived,), daemon=True).start()
    session = getattr(importlib.import_module(module), name)()
    while True:
        do, details = pickle.loads(arrived.get())
        try:
            answer = True, getattr(session, do)(**details)
        except OtxError as error:
            answer = False, error
        except Exception as error:  # what no one foresaw is told by the process that asked
            traceback.print_exc()
            answer = False, f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0]}"
        pickle.dump(answer, answers)
        answers.flush()


def _listen(arrived: queue.SimpleQueue[bytes]) -> None:
    """In a thread, so that the end of stdin is seen during the work as well."""
    try:
        while True:
            arrived.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        os._exit(0)
