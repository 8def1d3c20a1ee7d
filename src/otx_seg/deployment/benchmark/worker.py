"""The process that runs one variant of a model, told what to do by lines of JSON.

It answers each request on stdin with one line: ``{"done": result}`` or ``{"failed": message, "kind": class name}``. It
ends when stdin does, whatever it is doing, so that it never outlives the process that started it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otx_seg.errors import OtxError

if TYPE_CHECKING:
    from otx_seg.deployment.benchmark.backends import Throughput
    from otx_seg.deployment.benchmark.variant import Variant
    from otx_seg.runtime.predictor import Predictor


def main() -> None:
    """Answer requests until there are no more."""
    # Ctrl-C reaches every process of a terminal: the one that started this one decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):  # so does the end of the terminal
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Whatever a library prints must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = _requests()
    session = _Session()
    for request in requests:
        try:
            answer = {"done": session.answer(**request)}
        except OtxError as error:
            answer = {"failed": str(error), "kind": type(error).__name__}
        except Exception as error:  # what no one foresaw is told by the process that asked
            traceback.print_exc()
            text = (str(error) or "no message").splitlines()[0]
            answer = {"failed": f"{type(error).__name__}: {text}", "kind": "unforeseen"}
        print(json.dumps(answer), file=answers, flush=True)


def _requests() -> Iterator[dict[str, Any]]:
    """Requests as they arrive; a thread waits for them, so that the end of stdin is seen during the work as well."""
    arrived: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            arrived.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield json.loads(arrived.get())


class _Session:
    """A variant of a model from its opening to its last score."""

    variant: Variant
    predictor: Predictor
    throughput: Throughput

    def answer(self, do: str, **details: Any) -> Any:
        """Do what was asked for; see the methods below."""
        deeds: dict[str, Callable[..., Any]] = {
            "load": self._load,
            "latency": self._latency,
            "peak_memory": peak_memory,
            "load_throughput": self._load_throughput,
            "throughput": self._throughput,
            "scores": self._scores,
        }
        return deeds[do](**details)

    def _load(self, weights: str, threads: int, processors: list[int] | None, **variant: Any) -> dict[str, Any]:
        """Import the program, then open the model and run it once.

        Args:
            weights, variant: see `Variant`.
            threads: how many work for the model.
            processors: those this process may use; None: whatever the system says.
        """
        # Before any library counts them.
        if processors is not None:
            os.sched_setaffinity(0, processors)
        import numpy as np

        from otx_seg.deployment.benchmark.backends import BACKENDS
        from otx_seg.deployment.benchmark.variant import Variant
        from otx_seg.inference.latency import bare_call
        from otx_seg.labels import labels_to_plain

        self.variant = Variant(Path(weights), **variant)
        self.threads = threads
        self.backend = BACKENDS[self.variant.kind]
        self.backend.prepare(threads)
        start = time.perf_counter()
        self.predictor = self.backend.open(self.variant, threads)
        size = self.predictor.input_size
        self.image = np.random.default_rng(0).integers(0, 256, (1, 3, *size), np.uint8)
        self.single = bare_call(self.predictor)
        self.single(self.image)
        return {
            "load_s": time.perf_counter() - start,
            "input_size": size,
            "labels": labels_to_plain(self.predictor.labels),
        }

    def _latency(self, warm_up_s: float, seconds: float) -> list[float]:
        """Seconds of single images, one after another."""
        from otx_seg.inference.latency import timed_calls

        return timed_calls(partial(self.single, self.image), warm_up_s=warm_up_s, seconds=seconds)

    def _load_throughput(self) -> None:
        self.throughput = self.backend.open_throughput(self.variant, self.threads, self.predictor)

    def _throughput(self, warm_up_s: float, seconds: float) -> float:
        """Images per second with many of them waiting."""
        self.throughput(self.image, warm_up_s)
        return self.throughput(self.image, seconds)

    def _scores(self, **data: str | None) -> dict[str, Any]:
        """What `otx eval` writes, but for the time."""
        from otx_seg.datasets import DataSpec, open_test
        from otx_seg.inference.evaluate import evaluate
        from otx_seg.inference.predictor import template_of

        made_from = template_of(self.predictor, self.variant.weights)
        use_polygons = made_from is not None and made_from.hyper_parameters.learning_parameters.use_otx_adapter
        return evaluate(self.predictor, open_test(DataSpec.given(**data), use_polygons)).scores.as_json()


def peak_memory() -> int | None:
    """The most bytes of main memory this process has had at once, or None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Not getrusage: Linux counts what the parent held when this process was started.
        line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if line is not None:
            return 1024 * int(line.split()[1])
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
