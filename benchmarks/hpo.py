"""Whether a search for hyper-parameters pays: the same total time with and without it, on two data sets.

For each data set and seed it trains without a search for all of the time, and with `--enable-hpo` with a training that
is shorter by the time ratio, so that search and training together take as long; without a GPU both at the same time,
each with half of the cores. With --bad-rate both start from a learning rate that is far too low. A finished run is not
repeated: the same command resumes where it stopped interrupted.

    python benchmarks/hpo.py CAMVID_ROOT --output FOLDER [--minutes M] [--seeds N] [--ratio R] [--input-size HxW]
        [--head-start M] [--batch-size N]

With --head-start M all runs of a data set start from a network that was trained for M minutes on the first half of its
training images, as whoever has got more images does, or published weights. From random weights a training of minutes
is far from its end, and whatever takes a third of its time makes it worse.

CAMVID_ROOT holds train/ and val/. The second data set is drawn into FOLDER. Prints a Markdown table: validation Dice as
mean and range over the seeds, measured minutes, and the learning rates that were found.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from side_by_side import side_by_side

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.training.setup.search_settings import DEFAULT_RATIO
from otx_seg.verbs.train import train

RATE = "learning_parameters.learning_rate"
BAD_RATE = 1e-6
EPOCHS = 100_000  # never reached: the time budget ends the training


def run_once(name: str, data: Path, folder: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, unless that was done before: Dice, minutes and learning rate."""
    record = folder / "record.json"
    if record.exists():
        done: dict[str, Any] = json.loads(record.read_text())
        return done
    search = name.startswith("search")
    parameters = {
        "learning_parameters.max_minutes": options.minutes / (options.ratio if search else 1.0),
        "learning_parameters.num_iters": EPOCHS,
        "learning_parameters.input_size": options.input_size,
        "learning_parameters.pretrained": "none",
    }
    weights = beginning(data, options) if options.head_start else None
    if options.batch_size:
        parameters["learning_parameters.batch_size"] = options.batch_size
    if options.bad_rate:
        parameters[RATE] = BAD_RATE
    how = {"enable_hpo": True, "hpo_time_ratio": options.ratio, "hpo_parallel": 1} if search else {}
    started = time.monotonic()
    result = train(
        data / "train",
        data / "val",
        template=options.template,
        load_weights=weights,
        output=folder,
        overwrite=True,  # of one that was interrupted: its time could not be measured
        seed=seed,
        parameters=parameters,
        loggers=(),
        **how,
    )
    assert result.scores is not None
    trials = json.loads((folder / "hpo" / "trials.json").read_text()) if search else None
    values = None if trials is None else trials["trials"][trials["chosen"]]["values"]
    measured = {
        "dice": result.scores.dice_average,
        "minutes": (time.monotonic() - started) / 60,
        "values": values,
        "trials": 1 if trials is None else len(trials["trials"]),
    }
    record.write_text(json.dumps(measured, indent=2))
    return measured


def beginning(data: Path, options: argparse.Namespace) -> Path:
    """Where the weights to start from are."""
    name = f"{options.template}-{options.input_size}-{options.head_start:g}m-{options.images}"
    return options.output / name / data.name / "models" / "weights.pth"


def begin(data: Path, options: argparse.Namespace) -> None:
    """Make those weights, unless they are there."""
    weights = beginning(data, options)
    done = weights.parents[1] / "done"
    if done.exists():
        return
    half = weights.parents[1].with_name(f"{data.name}-half")
    shutil.rmtree(half, ignore_errors=True)
    for kind in ("images", "masks"):
        files = sorted((data / "train" / kind).iterdir())
        (half / kind).mkdir(parents=True)
        for file in files[: len(files) // 2]:
            (half / kind / file.name).symlink_to(file.resolve())
    shutil.copy(data / "train" / "dataset_meta.json", half)
    parameters = {
        "learning_parameters.max_minutes": options.head_start,
        "learning_parameters.num_iters": EPOCHS,
        "learning_parameters.input_size": options.input_size,
        "learning_parameters.pretrained": "none",
    }
    output = weights.parents[1]
    train(half, data / "val", template=options.template, output=output, overwrite=True, parameters=parameters)
    done.touch()


def row(data: str, name: str, runs: list[dict[str, Any]]) -> str:
    """One line of the table."""
    scores = [run["dice"] for run in runs]
    minutes = statistics.mean(run["minutes"] for run in runs)
    rates = ", ".join(f"{run['values'][RATE]:.2g}" for run in runs if run["values"]) or "-"
    trials = "/".join(str(run["trials"]) for run in runs)
    spread = f"{min(scores):.4f} to {max(scores):.4f}"
    return f"| {data} | {name} | {statistics.mean(scores):.4f} | {spread} | {minutes:.1f} | {trials} | {rates} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each run, search included")
    parser.add_argument("--ratio", type=float, default=DEFAULT_RATIO)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--batch-size", type=int, default=0, help="to begin with; the smaller, the more steps")
    parser.add_argument("--images", type=int, default=100, help="of the synthetic data set")
    parser.add_argument("--bad-rate", action="store_true", help=f"start from a learning rate of {BAD_RATE:g}")
    parser.add_argument(
        "--head-start", type=float, default=0.0, metavar="M", help="minutes on half of the images before"
    )
    parser.add_argument("--only", choices=["camvid", "drawn"], help="this data set")
    options = parser.parse_args()

    drawn = options.output / "drawn"
    if not (drawn / "val" / "dataset_meta.json").exists():
        draw_dataset(drawn, options.images, 256, seed=0)
    # What changes the result is part of the name, so that a record is never taken for another's.
    start = "bad" if options.bad_rate else "good"
    begun = f"-after-{options.head_start:g}m" if options.head_start else ""
    batch = f"-batch-{options.batch_size}" if options.batch_size else ""
    setting = f"{options.template}-{options.input_size}-{options.minutes:g}m-{options.ratio:g}-{start}{begun}{batch}"
    names = ("no search", f"search, ratio {options.ratio:g}")
    lines = []
    sets = {"camvid": ("CamVid", options.camvid), "drawn": (f"drawn, {options.images} images", drawn)}
    chosen = [sets[name] for name in sets if options.only in (None, name)]
    if options.head_start:
        side_by_side(begin, [(root, options) for _, root in chosen])
    for data, root in chosen:
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for seed in range(options.seeds):
            folders = [options.output / setting / root.name / name.split(",")[0].replace(" ", "-") for name in names]
            both = [
                (name, root, folder / f"seed-{seed}", seed, options)
                for name, folder in zip(names, folders, strict=True)
            ]
            side_by_side(run_once, both)
            for name, *arguments in both:
                runs[name].append(run_once(name, *arguments))
                print(f"{data}, seed {seed}, {name}: Dice {runs[name][-1]['dice']:.4f}", flush=True)
        lines += [row(data, name, found) for name, found in runs.items()]
    print(f"\n{options.template}, {options.input_size}, {options.minutes:g} minutes a run, {options.seeds} seeds\n")
    print("| data | | Dice, mean | Dice | minutes | trials | learning rates found |\n|---|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
