"""What a small network gains from a teacher in equal minutes.

Trains Lite-HRNet-s-mod2 on CamVid for some minutes with several seeds, without a teacher and with one by each loss.
Both have the same minutes, so that a teacher costs steps. Every run is scored on the validation images and kept in
OUTPUT: the same command begins again with the one that was interrupted, and prints the table of all that is there.

    python benchmarks/distillation.py CAMVID_FOLDER OUTPUT --teacher WEIGHTS [--minutes M ...] [--seeds N ...]
                                      [--ways WAY ...] [--parameters NAME=VALUE ...]

The teacher is a model of CamVid's labels, of any kind that `otx train --teacher` takes. Its own score stands in the
first row of the table. Another teacher and other parameters need another OUTPUT.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from otx_seg.template.losses import distillation_loss_names
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.train import train
from otx_seg.workspace.teacher_file import teacher_at

STUDENT = "Lite-HRNet-s-mod2"
ALONE = "alone"


def score(
    data: Path, run: Path, minutes: float, seed: int, given: dict[str, Any], teacher: Path | None
) -> dict[str, Any]:
    """What a run reached; it is made unless it is there already."""
    result = run / "result.json"
    if not result.exists():
        trained = train(
            data / "train",
            data / "val",
            template=STUDENT,
            teacher=teacher,
            output=run,
            seed=seed,
            parameters={"learning_parameters.max_minutes": minutes, **given},
            overwrite=True,
        )
        assert trained.scores is not None
        found = {"dice": trained.scores.dice_average, "mDice": trained.scores.m_dice, "steps": trained.steps}
        result.write_text(json.dumps(found), encoding="utf-8")
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content


def score_of_teacher(data: Path, output: Path, teacher: Path) -> float:
    """Its Dice on the validation images, measured once."""
    place = output / f"teacher-{teacher_at(teacher).digest[:12]}"
    result = place / "performance.json"
    if not result.exists():
        evaluate(data / "val", load_weights=teacher, output=place, overwrite=True)
    return float(json.loads(result.read_text(encoding="utf-8"))["Dice Average"])


def main() -> None:
    ways = [ALONE, *distillation_loss_names()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--teacher", type=Path, required=True, help="a trained or exported model of CamVid's labels")
    parser.add_argument("--minutes", type=float, nargs="*", default=[20.0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--ways", nargs="*", choices=ways, default=ways)
    parser.add_argument("--parameters", nargs="*", default=[], help="of all trainings, as group.name=value")
    options = parser.parse_args()

    given = dict(item.split("=", 1) for item in options.parameters)
    reached = score_of_teacher(options.camvid, options.output, options.teacher)
    print("| minutes | student | Dice by seed | mean | steps |\n|---|---|---|---|---|")
    print(f"| | the teacher itself | | {reached:.3f} | |", flush=True)
    for minutes in options.minutes:
        for way in options.ways:
            how = {} if way == ALONE else {"distillation.loss": way}
            teacher = None if way == ALONE else options.teacher
            taught = {name: value for name, value in given.items() if teacher or not name.startswith("distillation.")}
            place = options.output / f"{minutes:g}-minutes" / way
            found = [
                score(options.camvid, place / str(seed), minutes, seed, {**taught, **how}, teacher)
                for seed in options.seeds
            ]
            dice = [one["dice"] for one in found]
            steps = round(statistics.fmean(one["steps"] for one in found))
            listed = ", ".join(f"{one:.3f}" for one in dice)
            print(f"| {minutes:g} | {way} | {listed} | {statistics.fmean(dice):.3f} | {steps:,} |", flush=True)


if __name__ == "__main__":
    main()
