"""What labels chosen by `otx suggest` are worth against labels chosen at random.

Every fourth of CamVid's training images is held out to measure on. Of the others 16 are labelled, drawn by the seed,
and a network is trained on them. Then 16 more are chosen by each method of `otx suggest`, with that network, and one
is trained on the 32; by random, also on 48 and 64. All trainings begin with the same ImageNet weights and take the same
number of steps. Printed is the Dice of each on CamVid's validation images, which are of one of the three recordings
that the training images are of, and on the held-out images, and how many labels chosen at random reach the same Dice,
on straight lines between the means of the seeds.

    python benchmarks/suggest.py CAMVID_FOLDER OUTPUT [--seeds 1 2 3] [--methods both uncertainty diversity random]
        [--steps 350] [--first 16] [--more 16] [--template EfficientNet-Lite0-FPN] [--input-size 256x256]
        [--batch-size 4]

Everything is kept in OUTPUT: the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from learning_modes import epochs

import otx_seg
from otx_seg.labelling.methods import METHODS, RANDOM

FIRST = "first"
HELD_OUT = 4
"""Of so many images one is measured on."""
MEASURED = ("validation", "held out")
WIDTHS = (1, 2, 3)
"""Random choices are measured with so many times the images that other methods choose."""


def copy_labelled(camvid: Path, names: Sequence[str], folder: Path) -> Path:
    """Copy images of these names, with their masks; that folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for name in names:
        shutil.copy(camvid / "train" / "images" / name, folder / "images")
        shutil.copy(camvid / "train" / "masks" / f"{Path(name).stem}.png", folder / "masks")
    shutil.copy(camvid / "train" / "dataset_meta.json", folder)
    return folder


def divided(options: argparse.Namespace) -> tuple[list[str], Path, Path]:
    """The names of the images to choose from, the folder of these alone, and that of the held-out ones with masks."""
    names = sorted(path.name for path in (options.camvid / "train" / "images").iterdir())
    held_out = names[::HELD_OUT]
    left = [name for name in names if name not in held_out]
    pool, measured = options.output / "pool", options.output / "held-out"
    done = options.output / "divided"
    if not done.exists():
        copy_labelled(options.camvid, held_out, measured)
        copy_labelled(options.camvid, left, pool)
        done.touch()
    return left, pool / "images", measured


def train(folder: Path, names: Sequence[str], seed: int, options: argparse.Namespace) -> list[float]:
    """Train in a folder on images of these names, unless it is done; the Dice on each of `MEASURED`."""
    result = folder / "result.json"
    if not result.exists():
        settings = {
            "input_size": options.input_size,
            "batch_size": options.batch_size,
            "num_iters": epochs(options.steps, len(names), options.batch_size),
            "enable_early_stopping": False,
            "use_adaptive_interval": True,
            "num_workers": 0,
        }
        trained = otx_seg.train(
            copy_labelled(options.camvid, names, folder / "data"),
            options.camvid / "val",
            template=options.template,
            output=folder / "run",
            seed=seed,
            overwrite=True,
            parameters={f"learning_parameters.{name}": value for name, value in settings.items()},
        )
        assert trained.scores is not None
        held_out = otx_seg.evaluate(
            divided(options)[2], load_weights=trained.weights, output=folder / "held-out", overwrite=True
        )
        scores = dict(zip(MEASURED, (trained.scores, held_out.scores), strict=True))
        plain = {
            "dice": [one.dice_average for one in scores.values()],
            "labels": {
                where: {name: score.dice for name, score in one.per_label.items()} for where, one in scores.items()
            },
            "steps": trained.steps,
            "images": list(names),
        }
        result.write_text(json.dumps(plain, indent=1))
    dice: list[float] = json.loads(result.read_text())["dice"]
    return dice


def suggested(folder: Path, method: str, count: int, seed: int, options: argparse.Namespace) -> list[str]:
    """The names of the images that a method chooses, with the network trained on the first ones."""
    output = folder / f"suggested-{method}"
    if not (output / "suggest.html").exists():
        otx_seg.suggest(
            divided(options)[1],
            load_weights=folder / FIRST / "run" / "models" / "weights.pth",
            train_data_roots=folder / FIRST / "data",
            count=count,
            method=method,
            seed=seed,
            output=output,
            overwrite=True,
            list_only=True,
        )
    with (output / "suggest.csv").open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file)]


def first_names(seed: int, options: argparse.Namespace) -> list[str]:
    names = divided(options)[0]
    order = np.random.default_rng(seed).permutation(len(names))
    return [names[index] for index in order[: options.first]]


def runs(options: argparse.Namespace) -> Iterator[tuple[str, int, int, list[float]]]:
    """Method, labels, seed and Dice of each training, those that matter most in front."""
    default_and_random = [method for method in options.methods if method in (METHODS[0], RANDOM)]
    others = [method for method in options.methods if method not in default_and_random]
    jobs = [(method, 1, seed) for seed in options.seeds for method in (FIRST, *default_and_random)]
    jobs += [(method, 1, seed) for seed in options.seeds for method in others]
    jobs += [(RANDOM, width, seed) for seed in options.seeds for width in WIDTHS[1:] if RANDOM in options.methods]
    for method, width, seed in jobs:
        folder, names = options.output / f"seed-{seed}", first_names(seed, options)
        if method != FIRST:
            most = options.more * (WIDTHS[-1] if method == RANDOM else 1)
            names += suggested(folder, method, most, seed, options)[: width * options.more]
        place = folder / (FIRST if method == FIRST else f"{method}-{len(names)}")
        yield method, len(names), seed, train(place, names, seed, options)


def worth(dice: float, curve: Sequence[tuple[int, float]]) -> str:
    """How many labels chosen at random reach a Dice, on straight lines between (labels, Dice)."""
    for (fewer, low), (more, high) in pairwise(curve):
        if low <= dice <= high:
            return f"{fewer + (more - fewer) * (dice - low) / (high - low):.0f}" if high > low else str(more)
    return f"more than {curve[-1][0]}" if dice > curve[-1][1] else f"fewer than {curve[0][0]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, default=350)
    parser.add_argument("--first", type=int, default=16)
    parser.add_argument("--more", type=int, default=16)
    parser.add_argument("--template", default="EfficientNet-Lite0-FPN")
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--batch-size", type=int, default=4)
    options = parser.parse_args()

    found: dict[tuple[str, int], list[list[float]]] = {}
    for method, labels, seed, dice in runs(options):
        found.setdefault((method, labels), []).append(dice)
        figures = ", ".join(f"{where} {one:.4f}" for where, one in zip(MEASURED, dice, strict=True))
        print(f"{method}, {labels} labels, seed {seed}: Dice {figures}", flush=True)
    for place, where in enumerate(MEASURED):
        means = {key: statistics.fmean(dice[place] for dice in scores) for key, scores in found.items()}
        curve = sorted((labels, mean) for (method, labels), mean in means.items() if method in (FIRST, RANDOM))
        print(f"\n| chosen by | labels | Dice, {where}, by seed | mean | as many at random |\n|---|---|---|---|---|")
        for (method, labels), scores in found.items():
            shown, mean = ", ".join(f"{dice[place]:.3f}" for dice in scores), means[method, labels]
            same = "" if method in (FIRST, RANDOM) else worth(mean, curve)
            print(f"| {method} | {labels} | {shown} | {mean:.4f} | {same} |")


if __name__ == "__main__":
    main()
