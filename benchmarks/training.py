"""How much of a training's time is training.

Prints, from one process and the same network, batch size and threads, in turns so that noise hits all alike:

- the rate of a bare loop: forward, backward and the optimiser's step, on batches that stay in memory;
- the rate of the toolkit's steps on the same batches: with schedule, clipping, moving average, checks, journal;
- both rates with the toolkit's loader, whose processes need part of the same cores, and the share of time the toolkit's
  steps wait for data.

The figures are medians over the rounds.

    python benchmarks/training.py DATA_ROOT [--template NAME] [--input-size HxW] [--steps N] [--workers N]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from otx_seg import algorithms
from otx_seg import template as templates
from otx_seg.algorithms import TrainProgress
from otx_seg.datasets import DataSpec, open_training
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.training.context import TrainContext
from otx_seg.training.optimizer import build_optimizer
from otx_seg.training.trainer import Trainer
from otx_seg.workspace.run_folder import RunFolder

START = TrainProgress(epoch=0, step=0, progress=0.0)


class Counted:
    """A loader of batches that notes how long the loop waits for each."""

    def __init__(self, batches: Any, steps: int) -> None:
        self.batches, self.steps = batches, steps
        self.batch_sampler = getattr(batches, "batch_sampler", self)
        self.waited_s = 0.0

    def set_epoch(self, epoch: int, start_batch: int) -> None:
        """A fixed batch has no epochs."""

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        source = iter(self.batches)
        for _ in range(self.steps):
            started = time.perf_counter()
            try:
                batch = next(source)
            except StopIteration:
                source = iter(self.batches)
                batch = next(source)
            self.waited_s += time.perf_counter() - started
            yield batch


def bare_rate(training: Trainer, batches: Any, steps: int) -> float:
    """Steps per second of forward, backward and step alone."""
    optimizer = build_optimizer(training.algorithm, training.template)
    training.algorithm.train()
    started = time.perf_counter()
    for batch in Counted(batches, steps):
        optimizer.zero_grad(set_to_none=True)
        training.algorithm.training_step(batch, START)["loss"].backward()
        optimizer.step()
    return steps / (time.perf_counter() - started)


def loop_rate(training: Trainer, batches: Any, steps: int) -> tuple[float, float]:
    """Steps per second of the toolkit's loop, and the share of time it waited for batches."""
    counted = Counted(batches, steps)
    training.model.train()
    started = time.perf_counter()
    for batch in counted:
        training._step(batch, training._progress())
        training.state.step += 1
    elapsed = time.perf_counter() - started
    return steps / elapsed, counted.waited_s / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument("--input-size", default="512x512")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    overrides = {
        "learning_parameters.input_size": options.input_size,
        "learning_parameters.num_workers": options.workers,
    }
    template = templates.load(options.template).override(overrides)
    data = open_training(DataSpec(options.data), seed=0)
    shares = [1 / len(data.train.labels)] * len(data.train.labels)
    network = SegmentationNetwork(build_model(template, len(data.train.labels)))
    algorithm = algorithms.build(template, network, shares)
    with tempfile.TemporaryDirectory() as folder:
        context = TrainContext(template, data, tuple(shares), RunFolder(Path(folder)), seed=0)
        training = Trainer(algorithm, context, "random")
        kept = list(islice(training.loader, 8))
        bare_rate(training, kept, 3)
        rates: dict[str, list[float]] = {"bare": [], "loop": [], "bare loaded": [], "run": [], "waiting": []}
        for _ in range(options.rounds):
            rates["bare"].append(bare_rate(training, kept, options.steps))
            rates["loop"].append(loop_rate(training, kept, options.steps)[0])
            rates["bare loaded"].append(bare_rate(training, training.loader, options.steps))
            rate, waiting = loop_rate(training, training.loader, options.steps)
            rates["run"].append(rate)
            rates["waiting"].append(waiting)
    size = template.hyper_parameters.learning_parameters.batch_size
    bare, loop, loaded, run = (statistics.median(rates[name]) * size for name in ("bare", "loop", "bare loaded", "run"))
    print(f"{options.template} at {options.input_size}, batches of {size}, {torch.get_num_threads()} threads")
    print(f"in memory: bare loop {bare:7.2f} images/s, this toolkit {loop:7.2f}: {share(rates, 'loop', 'bare')}")
    print(f"loaded:    bare loop {loaded:7.2f} images/s, this toolkit {run:7.2f}: {share(rates, 'run', 'bare loaded')}")
    print(f"waiting for data: {100 * statistics.median(rates['waiting']):.1f} % of the time")


def share(rates: dict[str, list[float]], name: str, of: str) -> str:
    """The median over the rounds of one rate as a share of another."""
    ratios = [a / b for a, b in zip(rates[name], rates[of], strict=True)]
    return f"{100 * statistics.median(ratios):.1f} %"


if __name__ == "__main__":
    main()
