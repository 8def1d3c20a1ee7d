"""Measures models in turns, so that other load on the machine slows all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from otx_seg.datasets import DataSpec, open_test
from otx_seg.datasets.scan import Progress
from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.deployment.benchmark.worker_process import WorkerProcess
from otx_seg.deployment.files import size_of
from otx_seg.errors import UsageError
from otx_seg.inference.evaluate import matched
from otx_seg.labels import Labels
from otx_seg.runtime.model_info import checked_labels

_ROUNDS = 10
_WARM_UP = 1 / 3  # of a turn's measured time, before it: caches, threads and clock are the last model's until then


@dataclass(frozen=True)
class Measurement:
    """What one variant of a model does.

    Attributes:
        input_size: (height, width) in pixels of the images it takes.
        latencies_s: seconds of single images one after another, from uint8 pixels of the input size in main memory to
            probabilities there, all threads working on the same image.
        images_per_second: median over the turns with many images waiting.
        size_bytes: of the model's files.
        peak_memory_bytes: the most main memory that the process had which opened it and ran it image by image, Python
            and libraries included; None where the system does not tell.
        load_s: seconds from opening the file to the first probabilities, libraries imported before.
        scores: as `otx eval` writes them, but for the time; None without data.
    """

    variant: Variant
    input_size: tuple[int, int]
    latencies_s: tuple[float, ...]
    images_per_second: float
    size_bytes: int
    peak_memory_bytes: int | None
    load_s: float
    scores: dict[str, Any] | None

    @property
    def median_s(self) -> float:
        """Median latency in seconds."""
        return float(np.median(self.latencies_s))

    @property
    def p90_s(self) -> float:
        """The latency in seconds that nine of ten images stay below."""
        return float(np.quantile(self.latencies_s, 0.9))

    @property
    def dice(self) -> float | None:
        """Dice Average, 0..1, or None without data."""
        return None if self.scores is None else float(self.scores["Dice Average"])

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, as in ``benchmark.json``."""
        variant = {**asdict(self.variant), "weights": str(self.variant.weights), "precision": self.variant.precision}
        del variant["labels"]  # they are about opening the file
        return {
            **variant,
            "input_size": list(self.input_size),
            "latency_median_s": self.median_s,
            "latency_p90_s": self.p90_s,
            "latency_calls": len(self.latencies_s),
            "images_per_second": self.images_per_second,
            "size_bytes": self.size_bytes,
            "peak_memory_bytes": self.peak_memory_bytes,
            "load_s": self.load_s,
            "scores": self.scores,
        }


def measure(
    variants: Sequence[Variant],
    threads: int,
    seconds: float,
    log: Path,
    data: DataSpec | None = None,
    progress: Progress | None = None,
) -> list[Measurement]:
    """Measure variants of models that tell the same labels apart, each in a process of its own.

    1. Start the processes and open the models, one after another.
    2. Latency: in each of ten rounds, every model runs single images for a while; then note the memory.
    3. Throughput: the same, with many images waiting.
    4. Scores, if there is data.

    Args:
        threads: how many work for each model, on the first so many processors this process may use.
        seconds: how long each model is measured, half of it for latency and half for throughput; warming up, loading
            and scoring come on top of it. A model so slow that it does not suffice runs one image a turn.
        log: a file that the processes' stderr is added to.
        data: labelled images to score on, see `open_test`.
        progress: called with the name of a stage, and the numbers of turns done and to do in it.

    Raises:
        UsageError: a model cannot be used, the models have different labels, or the data has other ones.
        DataError: the data cannot be used.
        OtxError: a process failed or is gone.
    """
    tell = progress or (lambda stage, done, total: None)
    turn = seconds / 2 / _ROUNDS
    timing = {"warm_up_s": _WARM_UP * turn, "seconds": turn}
    with ExitStack() as stack:
        stderr = stack.enter_context(log.open("ab"))
        # 1. open
        workers, loaded = [], []
        for number, variant in enumerate(variants):
            tell("loading", number, len(variants))
            workers.append(stack.enter_context(WorkerProcess(variant, threads, stderr)))
            loaded.append(workers[-1].load())
        _check_labels(variants, [checked_labels(found["labels"]) for found in loaded])
        if data is not None:
            matched(checked_labels(loaded[0]["labels"]), open_test(data))
        # 2. latency
        times = _in_turns(workers, _ROUNDS, "latency", timing, tell)
        memory = [worker.ask("peak_memory") for worker in workers]
        # 3. throughput
        for worker in workers:
            worker.ask("load_throughput")
        rates = _in_turns(workers, _ROUNDS, "throughput", timing, tell)
        # 4. scores
        scores: list[list[Any]] = [[None] for _ in workers]
        if data is not None:
            scores = _in_turns(workers, 1, "scores", data.as_plain(), tell)
    return [
        Measurement(
            variant=variant,
            input_size=(found["input_size"][0], found["input_size"][1]),
            latencies_s=tuple(time for part in parts for time in part),
            images_per_second=float(np.median(rate)),
            size_bytes=size_of(variant.weights),
            peak_memory_bytes=peak,
            load_s=found["load_s"],
            scores=score,
        )
        for variant, found, parts, rate, peak, (score,) in zip(
            variants, loaded, times, rates, memory, scores, strict=True
        )
    ]


def _in_turns(
    workers: Sequence[WorkerProcess], rounds: int, do: str, details: dict[str, Any], tell: Progress
) -> list[list[Any]]:
    """What each worker answered in each round; in a round they work one after another."""
    answers: list[list[Any]] = [[] for _ in workers]
    for number in range(rounds):
        for place, (worker, found) in enumerate(zip(workers, answers, strict=True)):
            tell(do, number * len(workers) + place, rounds * len(workers))
            found.append(worker.ask(do, **details))
    return answers


def _check_labels(variants: Sequence[Variant], labels: Sequence[Labels]) -> None:
    for variant, own in zip(variants, labels, strict=True):
        different = sorted(set(own.names) ^ set(labels[0].names))
        if different:
            raise UsageError(
                f"{variant.weights} and {variants[0].weights}: models that tell other labels apart cannot be compared; "
                f"only one of them knows {different[0]!r}"
            )
