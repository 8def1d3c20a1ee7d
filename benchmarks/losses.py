"""What each loss and each rule for class weights reaches in the same number of steps.

Trains one network on CamVid, or on another data set with ``train`` and ``val``, once per loss (with the template's
class weights, where the loss uses them) and once per rule for class weights (with cross-entropy), and scores it on the
validation images. Losses for two labels alone are left out where there are more. Every run is kept in OUTPUT: the same
command goes on where it was interrupted, and prints the table of all that is there, the best first.

    python benchmarks/losses.py DATA OUTPUT [--steps 1500] [--seeds 1 2] [--losses NAME ...] [--class-weights NAME ...]
        [--template Lite-HRNet-s-mod2] [--input-size 256x256] [--batch-size 8] [--pretrained none]
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from learning_modes import epochs

from otx_seg.class_weights import RULES
from otx_seg.datasets import open_folder
from otx_seg.template.losses import loss_names
from otx_seg.verbs.train import train


def score(options: argparse.Namespace, name: str, chosen: dict[str, str], seed: int) -> dict[str, Any]:
    """The Dice of each label, and their mean, of a run that is made unless it is there."""
    run = options.output / name / str(seed)
    result = run / "dice.json"
    if not result.exists():
        images = len(next(iter(open_folder(options.data / "train").values())))
        settings = {
            "input_size": options.input_size,
            "batch_size": options.batch_size,
            "num_iters": epochs(options.steps, images, options.batch_size),
            "pretrained": options.pretrained,
            "enable_early_stopping": False,
            "use_adaptive_interval": True,
            **chosen,
        }
        trained = train(
            options.data / "train",
            options.data / "val",
            template=options.template,
            output=run,
            seed=seed,
            parameters={f"learning_parameters.{key}": value for key, value in settings.items()},
            overwrite=True,
        )
        assert trained.scores is not None
        labels = {label: found.dice for label, found in trained.scores.per_label.items()}
        result.write_text(json.dumps({"dice": trained.scores.dice_average, "steps": trained.steps, "labels": labels}))
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def rows(options: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What differs from the template, by the name of a row."""
    losses = {f"loss {name}": {"loss": name} for name in options.losses}
    return losses | {f"weights {rule}": {"class_weights": rule} for rule in options.class_weights}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--losses", nargs="*", choices=loss_names(), default=list(loss_names()))
    parser.add_argument("--class-weights", nargs="*", choices=list(RULES), default=list(RULES))
    parser.add_argument("--template", default="Lite-HRNet-s-mod2")
    parser.add_argument("--input-size", default="256x256")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--pretrained", default="none")
    options = parser.parse_args()
    labels = next(iter(open_folder(options.data / "train").values())).labels
    if len(labels) > 2:
        options.losses = [name for name in options.losses if not name.startswith("binary_")]

    found = {
        name: [score(options, name, chosen, seed) for seed in options.seeds] for name, chosen in rows(options).items()
    }
    print("| | Dice by seed | mean | label with the lowest Dice |\n|---|---|---|---|")
    for name, runs in sorted(found.items(), key=lambda row: -statistics.fmean(run["dice"] for run in row[1])):
        means = {label: statistics.fmean(run["labels"].get(label, 0) for run in runs) for label in runs[0]["labels"]}
        lowest = min(means, key=lambda label: means[label])
        dice = [run["dice"] for run in runs]
        by_seed = ", ".join(f"{one:.3f}" for one in dice)
        print(f"| {name} | {by_seed} | {statistics.fmean(dice):.3f} | {lowest} {means[lowest]:.3f} |")


if __name__ == "__main__":
    main()
