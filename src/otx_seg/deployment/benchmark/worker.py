"""The process that runs one variant of a model, with commands in lines of JSON."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otx_seg.deployment.benchmark.backends import Throughput
    from otx_seg.deployment.benchmark.variant import Variant
    from otx_seg.runtime.predictor import Predictor


class Session:
    """A variant of a model from its opening to its last score."""

    variant: Variant
    predictor: Predictor
    run_many: Throughput

    def load(self, threads: int, processors: list[int] | None, **variant: Any) -> dict[str, Any]:
        """Import the program, then open the model and run it once.

        Args:
            variant: see `Variant`.
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

        self.variant = Variant(**variant)
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

    def latency(self, warm_up_s: float, seconds: float) -> list[float]:
        """Seconds of single images, one after another."""
        from otx_seg.inference.latency import timed_calls

        return timed_calls(partial(self.single, self.image), warm_up_s=warm_up_s, seconds=seconds)

    def peak_memory(self) -> int | None:
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

    def load_throughput(self) -> None:
        self.run_many = self.backend.open_throughput(self.variant, self.threads, self.predictor)

    def throughput(self, warm_up_s: float, seconds: float) -> float:
        """Images per second with many of them waiting."""
        self.run_many(self.image, warm_up_s)
        return self.run_many(self.image, seconds)

    def scores(self, **data: Any) -> dict[str, Any]:
        """What `otx eval` writes, but for the time."""
        from otx_seg.datasets import DataSpec, open_test
        from otx_seg.inference.evaluate import evaluate
        from otx_seg.inference.predictor import template_of

        made_from = template_of(self.predictor, self.variant.weights)
        use_polygons = made_from is not None and made_from.hyper_parameters.learning_parameters.use_otx_adapter
        return evaluate(self.predictor, open_test(DataSpec.from_plain(data), use_polygons)).scores.as_json()
