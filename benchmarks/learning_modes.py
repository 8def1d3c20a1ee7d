"""What the ways of learning gain where few images are labelled.

Of CamVid's training images some are labelled (chosen by the seed) and the others are not. Each mode trains the same
network from random weights for the same number of steps, once per seed, and is scored on the validation images. Prints
mean and spread of the Dice and the time of each, and writes everything to a JSON file.

    python benchmarks/learning_modes.py CAMVID_FOLDER [--modes supervised mean_teacher supcon] [--steps 600]
        [--labelled 24] [--seeds 1 2 3] [--input-size 256x256] [--template Lite-HRNet-s-mod2]
        [--set group.name=value ...] [--output learning_modes.json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import otx_seg

MODES: dict[str, dict[str, Any]] = {
    "supervised": {},
    "mean_teacher": {},
    "supcon": {"learning_parameters.enable_supcon": True},
}


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


def run(mode: str, seed: int, options: argparse.Namespace, changes: dict[str, str]) -> tuple[float, float]:
    """The best validation Dice, and the minutes it took."""
    batch = 8
    with tempfile.TemporaryDirectory() as name:
        train_root, listed = split(options.camvid, options.labelled, seed, Path(name))
        parameters = {
            "learning_parameters.input_size": options.input_size,
            "learning_parameters.batch_size": batch,
            "learning_parameters.num_iters": options.steps // -(-options.labelled // batch),
            "learning_parameters.pretrained": "none",
            "learning_parameters.enable_early_stopping": False,
            "learning_parameters.use_adaptive_interval": True,
            **MODES[mode],
            **changes,
        }
        unlabelled: dict[str, Any] = {}
        if mode == "mean_teacher":
            folder = options.camvid / "train" / "images"
            unlabelled = {"unlabeled_data_roots": folder, "unlabeled_file_list": listed}
        started = time.monotonic()
        result = otx_seg.train(
            train_root,
            options.camvid / "val",
            template=options.template,
            output=Path(name) / "run",
            seed=seed,
            parameters=parameters,
            **unlabelled,
        )
        return result.scores.dice_average, (time.monotonic() - started) / 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path)
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--labelled", type=int, default=24)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="group.name=value", help="hyper-parameters for all modes"
    )
    parser.add_argument("--output", type=Path, default=Path("learning_modes.json"))
    options = parser.parse_args()

    changes = dict(item.split("=", 1) for item in options.set)
    found: dict[str, Any] = {}
    for mode in options.modes:
        runs = []
        for seed in options.seeds:
            dice, minutes = run(mode, seed, options, changes)
            print(f"{mode:14} seed {seed}: Dice {dice:.4f} in {minutes:.1f} minutes", flush=True)
            runs.append({"seed": seed, "dice": dice, "minutes": minutes})
        found[mode] = runs
    settings = {name: str(value) for name, value in vars(options).items()}
    options.output.write_text(json.dumps({"settings": settings, "runs": found}, indent=2))
    for mode, runs in found.items():
        scores = [one["dice"] for one in runs]
        spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
        minutes = statistics.mean(one["minutes"] for one in runs)
        print(f"{mode:14} Dice {statistics.mean(scores):.4f} +- {spread:.4f}, {minutes:.1f} minutes each")


if __name__ == "__main__":
    main()
