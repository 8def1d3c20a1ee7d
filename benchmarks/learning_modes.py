"""What the training methods gain where few images are labelled.

Of CamVid's training images some are labelled (chosen by the seed) and the others are not. Each mode trains the same
network from random weights for the same number of steps, once per seed, and is scored on the validation images; for
detcon a backbone learns from all training images first. Prints mean and spread of the Dice and the time of each, and
writes everything to a JSON file.

    python benchmarks/learning_modes.py CAMVID_FOLDER [--modes supervised mean_teacher supcon detcon] [--steps 1800]
        [--pretraining-steps 1200] [--labelled 24] [--batch-size 4] [--seeds 1 2 3] [--parallel 2]
        [--input-size 256x256] [--template Lite-HRNet-s-mod2] [--set group.name=value ...] [--output FILE]

Runs that FILE (learning_modes.json) holds already are not made again. Small networks keep one CPU core busy but hardly
two: `--parallel` trainings run side by side, each with its share of the cores. Their minutes compare with each other.
On a GPU use 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np

import otx_seg

MODES = ("supervised", "mean_teacher", "supcon", "detcon")


def split(camvid: Path, labelled: int, seed: int, folder: Path) -> tuple[Path, Path]:
    """Copy the labelled images with their masks to `folder`; that folder, and a list of the other images."""
    names = sorted(path.name for path in (camvid / "train" / "images").iterdir())
    order = np.random.default_rng(seed).permutation(len(names))
    for kind in ("images", "masks"):
        (folder / "train" / kind).mkdir(parents=True)
    for name in (names[index] for index in order[:labelled]):
        shutil.copy(camvid / "train" / "images" / name, folder / "train" / "images")
        shutil.copy(camvid / "train" / "masks" / f"{Path(name).stem}.png", folder / "train" / "masks")
    meta = next(place for place in (camvid / "train", camvid) if (place / "dataset_meta.json").is_file())
    shutil.copy(meta / "dataset_meta.json", folder / "train")
    listed = folder / "unlabelled.txt"
    listed.write_text("".join(f"{names[index]}\n" for index in order[labelled:]))
    return folder / "train", listed


def run(mode: str, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Train once: the best validation Dice, and the minutes the training took, that of a backbone apart."""
    parameters = {
        "learning_parameters.input_size": options.input_size,
        "learning_parameters.batch_size": options.batch_size,
        "learning_parameters.unlabeled_batch_size": options.batch_size,
        "learning_parameters.num_iters": epochs(options.steps, options.labelled, options.batch_size),
        "learning_parameters.pretrained": "none",
        "learning_parameters.enable_early_stopping": False,
        "learning_parameters.use_adaptive_interval": True,
        # Loading shares the cores with the training.
        **({"learning_parameters.num_workers": 0} if options.parallel > 1 else {}),
        **dict(item.split("=", 1) for item in options.set),
    }
    common = {"template": options.template, "seed": seed}
    found = {"seed": seed}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_root, listed = split(options.camvid, options.labelled, seed, folder)
        images = options.camvid / "train" / "images"
        extra: dict[str, Any] = {}
        if mode == "mean_teacher":
            extra = {"unlabeled_data_roots": images, "unlabeled_file_list": listed}
        elif mode == "supcon":
            parameters["learning_parameters.enable_supcon"] = True
        elif mode == "detcon":
            count = len(list(images.iterdir()))
            longer = {"learning_parameters.num_iters": epochs(options.pretraining_steps, count, options.batch_size)}
            pretrained = otx_seg.train(images, output=folder / "backbone", parameters=parameters | longer, **common)
            found["minutes_of_backbone"] = pretrained.elapsed_s / 60
            extra = {"load_weights": pretrained.weights}
        started = time.monotonic()
        validation = options.camvid / "val"
        result = otx_seg.train(train_root, validation, output=folder / "run", parameters=parameters, **common, **extra)
        assert result.scores is not None
        return {**found, "dice": result.scores.dice_average, "minutes": (time.monotonic() - started) / 60}


def epochs(steps: int, images: int, batch_size: int) -> int:
    """Epochs that make about so many steps."""
    return max(1, round(steps / math.ceil(images / batch_size)))


def run_apart(mode: str, seed: int, parallel: int) -> dict[str, Any]:
    """`run` in a process of its own, told by the same arguments."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "run.json"
        arguments = [*sys.argv[1:], "--modes", mode, "--seeds", str(seed), "--apart", str(output)]
        done = subprocess.run(
            [sys.executable, __file__, *arguments], env=environment(parallel), capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{mode}, seed {seed}, failed:\n{done.stderr}")
        found: dict[str, Any] = json.loads(output.read_text())
    minutes = found["minutes"] + found.get("minutes_of_backbone", 0.0)
    print(f"{mode:14} seed {seed}: Dice {found['dice']:.4f} in {minutes:.1f} minutes", flush=True)
    return found


def environment(parallel: int) -> dict[str, str]:
    """That of one of so many processes which share the cores."""
    threads = max(1, (os.cpu_count() or 1) // parallel)
    return {**os.environ, "OMP_NUM_THREADS": str(threads)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--pretraining-steps", type=int, default=1200)
    parser.add_argument("--labelled", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="group.name=value", help="hyper-parameters for all modes"
    )
    parser.add_argument("--output", type=Path, default=Path("learning_modes.json"))
    parser.add_argument("--apart", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.apart is not None:
        options.apart.write_text(json.dumps(run(options.modes[0], options.seeds[0], options)))
        return
    which = ("modes", "seeds", "output", "apart")
    settings = {name: str(value) for name, value in vars(options).items() if name not in which}
    runs: list[dict[str, Any]] = []
    if options.output.exists():
        before = json.loads(options.output.read_text())
        if before["settings"] != settings:
            raise SystemExit(f"{options.output} holds runs with other settings; name another --output")
        runs = before["runs"]
    done = {(one["mode"], one["seed"]) for one in runs}
    # Seed by seed, so that what the machine does meanwhile hits all modes alike.
    jobs = [(mode, seed) for seed in options.seeds for mode in options.modes if (mode, seed) not in done]
    with ThreadPoolExecutor(options.parallel) as pool:
        started = {pool.submit(run_apart, *job, options.parallel): job[0] for job in jobs}
        for future in as_completed(started):
            runs.append({"mode": started[future], **future.result()})
            options.output.write_text(json.dumps({"settings": settings, "runs": runs}, indent=2))
    for mode in dict.fromkeys(one["mode"] for one in runs):
        own = [one for one in runs if one["mode"] == mode]
        scores = [one["dice"] for one in own]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        minutes = statistics.mean(one["minutes"] + one.get("minutes_of_backbone", 0.0) for one in own)
        print(f"{mode:14} Dice {statistics.mean(scores):.4f} +- {spread:.4f}, {minutes:.1f} minutes each")


if __name__ == "__main__":
    main()
