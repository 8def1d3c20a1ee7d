"""How long a lead lasts: one data set trained with several values of a parameter, scored on the way and at the end.

A search for hyper-parameters judges trials on the way, and pays if those that lead there lead at the end. All trainings
take the same steps, so that nothing depends on the clock; without a GPU as many at once as there are cores. A finished
one is not repeated.

    python benchmarks/early_leads.py DATA_ROOT --output FOLDER [--weights FILE] [--parameter NAME] [--values V ...]
        [--epochs N] [--input-size HxW] [--seed S]

The parameter is one of `learning_parameters`, by default the learning rate. DATA_ROOT holds train/ and val/. Prints a
Markdown table of validation mDice, background included, as searches see it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path

import torch
from side_by_side import side_by_side

from otx_seg.training.loggers import read_metrics
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import RunFolder

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


def train_once(value: float, folder: Path, options: argparse.Namespace) -> None:
    """Train with a value of the parameter, unless that was done before."""
    done = folder / "done"
    if done.exists():
        return
    train(
        options.data / "train",
        options.data / "val",
        template=options.template,
        load_weights=options.weights,
        output=folder,
        overwrite=True,
        seed=options.seed,
        parameters={
            f"learning_parameters.{options.parameter}": value,
            "learning_parameters.num_iters": options.epochs,
            "learning_parameters.rounds_per_epoch": 1,
            "learning_parameters.use_adaptive_interval": False,
            "learning_parameters.enable_early_stopping": False,
            "learning_parameters.input_size": options.input_size,
            "learning_parameters.pretrained": "none",
        },
        loggers=(),
    )
    done.touch()


def scores_on_the_way(run: RunFolder) -> list[tuple[int, float]]:
    """Step and mDice of the last validation before each share of the training."""
    found = [(entry["step"], entry["mDice"]) for entry in read_metrics(run.metrics) if "mDice" in entry]
    steps = found[-1][0]
    return [next(one for one in reversed(found) if one[0] <= max(share * steps, found[0][0])) for share in SHARES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument("--weights", type=Path, help="to continue with")
    parser.add_argument("--parameter", default="learning_rate")
    parser.add_argument("--values", type=float, nargs="+", default=[0.001, 0.003, 0.0095])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--input-size", default="64x64")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    # What changes the result is part of the name, so that a training is never taken for another's.
    files = [str(path.resolve()) for path in (options.data, options.weights) if path is not None]
    told = hashlib.sha256("\n".join([options.template, options.parameter, *files]).encode()).hexdigest()[:8]
    name = f"{options.data.name}-{options.input_size}-{options.epochs}-{options.seed}-{told}"
    folders = [options.output / name / f"{value:g}" for value in options.values]
    calls = [(value, folder, options) for value, folder in zip(options.values, folders, strict=True)]
    at_once = 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))
    for first in range(0, len(calls), at_once):
        side_by_side(train_once, calls[first : first + at_once])

    rows = [scores_on_the_way(RunFolder(folder)) for folder in folders]
    steps = [str(step) for step, _ in rows[0]]
    print(f"\n{options.template}, {options.input_size}, {options.data.name}\n")
    print(f"| {options.parameter} | {' | '.join(f'step {step}' for step in steps)} |\n|---|{'---|' * len(steps)}")
    for value, row in zip(options.values, rows, strict=True):
        print(f"| {value:g} | {' | '.join(f'{score:.3f}' for _, score in row)} |")


if __name__ == "__main__":
    main()
