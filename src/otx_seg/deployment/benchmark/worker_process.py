"""The other end of `worker`: starts it, sends requests, and notices its end."""

from __future__ import annotations

from dataclasses import asdict
from typing import IO, Any

from otx_seg.child_process import ChildError, ChildProcess
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.errors import OtxError
from otx_seg.runtime.processors import usable_processors


class WorkerProcess(ChildProcess):
    """A process that runs one variant of a model, see `worker`.

    Args:
        threads: how many work for the model, on the first so many processors this process may use.
        log: where its stderr goes.
    """

    def __init__(self, variant: Variant, threads: int, log: IO[bytes]) -> None:
        environment, advice = {"OMP_NUM_THREADS": str(threads)}, "compare fewer models at once"
        super().__init__("otx_seg.deployment.benchmark.worker", "Session", log, environment, advice)
        self.variant, self.threads = variant, threads

    def load(self) -> dict[str, Any]:
        """Open the model: ``load_s`` (seconds), ``input_size`` and ``labels``.

        Raises:
            UsageError, OtxError: see `ask`.
        """
        usable = usable_processors()
        processors = None if usable is None else usable[: self.threads]
        described = asdict(self.variant)
        loaded: dict[str, Any] = self.ask("load", threads=self.threads, processors=processors, **described)
        return loaded

    def ask(self, do: str, **details: Any) -> Any:
        """Let the worker do something, and wait for its answer.

        Raises:
            UsageError, DataError: what it was given is unusable.
            OtxError: it failed, or is gone; the message names the model.
        """
        try:
            return super().ask(do, **details)
        except ChildError as error:
            raise OtxError(f"{self.variant}: {error}") from error
