"""Which network of a training to keep: the one with the best score, or the last unless another is clearly better.

Reads the counts of each validation image at each validation that `benchmarks/minutes.py` left. The images are divided
at random many times: a rule chooses on one part, and the other part, which nobody has looked at, tells how good the
choice is. Printed is the gain in Dice points over choosing the best score, for several numbers of standard errors that
an earlier network has to be better by.

    python benchmarks/kept_network.py OUTPUT [--halves N] [--images N]

The parts are halves, or the first one has `--images` images: few of them are what a small data set has for validation.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.paired import paired_difference
from otx_seg.metrics.watched import DICE

ERRORS = (0.0, 1.0, 2.0, 3.0, float("inf"))


def dice(counts: Tensor) -> float:
    """The Dice average of images (N, K, 3) without the background, label 0."""
    agreed, true, predicted = counts[:, 1:].sum(dim=0).T.double()
    shown = true > 0
    return float((2 * agreed / (true + predicted))[shown].mean()) if bool(shown.any()) else 0.0


def chosen(networks: list[Tensor], images: Tensor, errors: float) -> int:
    """The network that is kept by what it does on these images."""
    scores = [dice(network[images]) for network in networks]
    names = tuple(map(str, range(networks[0].shape[1])))
    labels = Labels(names, default_colors(len(names)), background=0)
    best, last = int(np.argmax(scores)), len(networks) - 1
    found = paired_difference(networks[best][images], networks[last][images], DICE, labels)
    return best if found.difference > errors * found.standard_error else last


def gains(
    networks: list[Tensor], halves: int, part: int | None, generator: np.random.Generator
) -> dict[float, list[float]]:
    """By the number of standard errors: Dice on the other half, less that of the network with the best score."""
    found: dict[float, list[float]] = {errors: [] for errors in ERRORS}
    images = len(networks[0])
    for _ in range(halves):
        order = torch.from_numpy(generator.permutation(images))
        divided = images // 2 if part is None else min(part, images // 2)
        one, other = order[:divided], order[divided:]
        unseen = [dice(network[other]) for network in networks]
        usual = unseen[chosen(networks, one, 0.0)]
        for errors in ERRORS:
            found[errors].append(unseen[chosen(networks, one, errors)] - usual)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="that of benchmarks/minutes.py")
    parser.add_argument("--halves", type=int, default=200)
    parser.add_argument("--images", type=int, help="that a rule chooses on; usually half of them")
    options = parser.parse_args()

    runs: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(options.output.glob("*/*/*/*/counts.pth")):
        runs[" ".join(file.relative_to(options.output).parts[:3])].append(file)
    heads = " | ".join(f"{errors:g} errors: mean, worst run" for errors in ERRORS[1:])
    print(f"| runs | validations | {heads} |\n|{'---|' * (1 + len(ERRORS))}")
    generator = np.random.default_rng(0)
    for name, files in runs.items():
        loaded = [torch.load(file, weights_only=True) for file in files]
        by_run = [gains([one["per_image"] for one in run], options.halves, options.images, generator) for run in loaded]
        cells = []
        for errors in ERRORS[1:]:
            means = [100 * statistics.fmean(run[errors]) for run in by_run]
            cells.append(f"{statistics.fmean(means):+.2f}, {min(means):+.2f}")
        print(f"| {name} | {', '.join(str(len(run)) for run in loaded)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
