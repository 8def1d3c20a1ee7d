"""The other end of `worker`: starting it, asking it, and noticing that it is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from types import TracebackType
from typing import IO, Any

from otx_seg import errors
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.errors import OtxError
from otx_seg.runtime.processors import usable_processors

_CODE = "import sys; sys.path[:] = sys.argv[1:]; from otx_seg.deployment.benchmark.worker import main; main()"


class WorkerProcess:
    """A process that runs one variant of a model; a context manager that ends it."""

    def __init__(self, variant: Variant, threads: int, log: IO[bytes]) -> None:
        """
        Args:
            threads: how many work for the model, on the first so many processors this process may use.
            log: where its stderr goes.
        """
        self.variant = variant
        self._threads = threads
        self._log = log
        # The very modules of this process, wherever they came from.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )

    def load(self) -> dict[str, Any]:
        """Open the model: ``load_s`` (seconds), ``input_size`` and ``labels``.

        Raises:
            UsageError, OtxError: see `ask`.
        """
        usable = usable_processors()
        processors = None if usable is None else usable[: self._threads]
        described = {**asdict(self.variant), "weights": str(self.variant.weights)}
        loaded: dict[str, Any] = self.ask("load", threads=self._threads, processors=processors, **described)
        return loaded

    def ask(self, do: str, **details: Any) -> Any:
        """Let the worker do something, see `worker`, and wait for its answer.

        Raises:
            UsageError, DataError: what it was given is unusable.
            OtxError: it failed, or is gone; the message names the model.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"do": do, **details}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise OtxError(self._epitaph())
        answer = json.loads(line)
        if "failed" not in answer:
            return answer["done"]
        if answer["kind"] == "unforeseen":
            raise OtxError(f"{self.variant}: {answer['failed']}; details: {self._log.name}")
        raise getattr(errors, answer["kind"])(answer["failed"])

    def _epitaph(self) -> str:
        code = self._process.wait()
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        why = ", most likely for want of memory: compare fewer models at once" if code in (-9, 137) else ""
        return f"{self.variant}: the process that ran it was ended {how}{why}; details: {self._log.name}"

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue
