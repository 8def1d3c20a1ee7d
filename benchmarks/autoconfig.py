"""What `otx train` decides, against a plain template: the same data, the same time.

Trains on CamVid and on synthetic data sets of other kinds, `--seeds` times each: once with only --train-data-roots
and max_minutes, and once with Lite-HRNet-18-mod2 and its usual values (512x512, batches of 8). Both are evaluated on
the images they were validated on. Finished runs are kept: the same command begins again with the one that was
interrupted, and prints the table of all that is there.

    python benchmarks/autoconfig.py CAMVID_FOLDER OUTPUT_FOLDER [--minutes M] [--seeds N] [--only NAME ...]

Without a GPU the two trainings of a seed run side by side, each with half of the cores, so that whatever else the
machine does hits both.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from drawn_kinds import draw_kind
from side_by_side import side_by_side

from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.train import train

# name: kind, images, (height, width)
DRAWN = {
    "thin, 12 bits": ("thin", 100, (512, 640)),
    "tiny, colour": ("tiny", 400, (1024, 1024)),
    "regions, few huge": ("regions", 20, (3000, 4000)),
    "regions, many small": ("regions", 2000, (128, 128)),
}
PLAIN_TEMPLATE = "Lite-HRNet-18-mod2"
PLAIN = {
    "learning_parameters.input_size": "512x512",
    "learning_parameters.batch_size": 8,
    "learning_parameters.num_iters": 300,
    "learning_parameters.num_workers": 2,
    "learning_parameters.class_weights": "none",
    "learning_parameters.use_adaptive_interval": False,
}


def draw(folder: Path, name: str, scale: float) -> Path:
    """The synthetic data set: ``train`` and ``val``, four fifths and a fifth of its images."""
    kind, images, size = DRAWN[name]
    count = max(10, round(images * scale))
    done = folder / "done"
    if not done.exists():
        draw_kind(folder / "train", kind, count * 4 // 5, size, seed=1)
        draw_kind(folder / "val", kind, count - count * 4 // 5, size, seed=2)
        done.touch()
    return folder


def score(data: Path, run: Path, minutes: float, seed: int, how: str, pretrained: str) -> float:
    """Dice of a run that is made unless it is there already."""
    result = run / "performance.json"
    if not result.exists():
        parameters: dict[str, Any] = {
            "learning_parameters.max_minutes": minutes,
            "learning_parameters.pretrained": pretrained,
        }
        template = None
        if how == "plain":
            template, parameters = PLAIN_TEMPLATE, {**parameters, **PLAIN}
        trained = train(data, template=template, output=run / "train", parameters=parameters, seed=seed, overwrite=True)
        evaluate(data / "val", load_weights=trained.weights, output=run, overwrite=True)
    return float(json.loads(result.read_text())["Dice Average"])


def compare(data: Path, place: Path, minutes: float, seed: int, pretrained: str) -> dict[str, float]:
    """Dice of both ways."""
    runs = {how: (data, place / f"{how}-{seed}", minutes, seed, how, pretrained) for how in ("decided", "plain")}
    side_by_side(score, list(runs.values()))
    return {how: score(*run) for how, run in runs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=15.0, help="of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=["camvid", *DRAWN], help="these data sets")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the synthetic images, to try the program")
    parser.add_argument("--pretrained", default="none", help="as for otx train")
    options = parser.parse_args()

    print("| data | seed | decided | plain | gain |\n|---|---|---|---|---|", flush=True)
    for name in options.only or ["camvid", *DRAWN]:
        place = options.output / name.replace(", ", "-").replace(" ", "-")
        data = options.camvid if name == "camvid" else draw(place / "data", name, options.scale)
        place /= f"{options.minutes:g}-minutes"
        gains = []
        for seed in range(1, options.seeds + 1):
            found = compare(data, place, options.minutes, seed, options.pretrained)
            gains.append(found["decided"] - found["plain"])
            row = f"| {name} | {seed} | {found['decided']:.4f} | {found['plain']:.4f} | {100 * gains[-1]:+.1f} points |"
            print(row, flush=True)
        print(f"| {name} | mean | | | {100 * statistics.fmean(gains):+.1f} points |", flush=True)


if __name__ == "__main__":
    main()
