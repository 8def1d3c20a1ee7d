"""What a training reaches in a few minutes, and what changes it.

Trains on CamVid, on synthetic data sets and on that of `otx quickstart`, for some minutes, with several seeds, one
training at a time. A variant is a template or parameters that differ from what `otx train` decides by itself. Every run
is scored on its validation images and kept in OUTPUT: the same command begins again with the one that was interrupted,
and prints the table of all that is there.

    python benchmarks/minutes.py CAMVID_FOLDER OUTPUT [--minutes M ...] [--seeds N ...] [--only DATA ...]
                                 [--variants NAME ...]

Each run also keeps the counts of each validation image at each validation, `counts.pth`, which
`benchmarks/kept_network.py` reads.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from drawn_kinds import draw_kind

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.training.loggers import Logger, TrainResult, ValidationReport
from otx_seg.verbs.train import train

DRAWN = {"thin": (100, (384, 480)), "tiny": (200, (768, 768)), "regions": (60, (512, 512))}
VARIANTS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "decided": (None, {}),
    "lite-hrnet": (None, {"learning_parameters.pretrained": "none"}),
    "from random weights": ("EfficientNet-Lite0-FPN", {"learning_parameters.pretrained": "none"}),
    "os8": ("EfficientNet-Lite0-FPN-os8", {}),
    "256": (None, {"learning_parameters.input_size": "256x256"}),
    "384": (None, {"learning_parameters.input_size": "384x384"}),
    "cross-entropy": (None, {"learning_parameters.loss": "cross_entropy"}),
    "rate 0.001": ("EfficientNet-Lite0-FPN", {"learning_parameters.learning_rate": 0.001}),
    "rate 0.006": ("EfficientNet-Lite0-FPN", {"learning_parameters.learning_rate": 0.006}),
}


class Counts(Logger):
    """Keeps the counts of each image at each validation."""

    def __init__(self) -> None:
        self.validations: list[dict[str, Any]] = []

    def on_validation(self, report: ValidationReport) -> None:
        self.validations.append({"step": report.step, "per_image": report.per_image})


def data_folder(output: Path, name: str, camvid: Path) -> Path:
    """``train`` and ``val`` of a data set, drawn if it is not there yet."""
    if name == "camvid":
        return camvid
    folder = output / "data" / name
    done = folder / "done"
    if not done.exists():
        if name == "quickstart":
            draw_dataset(folder, 60, 128, seed=0)
        else:
            count, size = DRAWN[name]
            for part, seed in (("train", 1), ("val", 2)):
                draw_kind(folder / part, name, count * (4 if part == "train" else 1) // 5, size, seed=seed)
        done.touch()
    return folder


def score(data: Path, run: Path, minutes: float, seed: int, variant: str) -> dict[str, Any]:
    """What a run reached; it is made unless it is there already."""
    result = run / "result.json"
    if not result.exists():
        counts = Counts()
        template, parameters = VARIANTS[variant]
        trained = train(
            data / "train",
            data / "val",
            template=template,
            output=run,
            seed=seed,
            parameters={"learning_parameters.max_minutes": minutes, **parameters},
            overwrite=True,
            loggers=[counts],
        )
        torch.save(counts.validations, run / "counts.pth")
        result.write_text(json.dumps(_plain(trained)), encoding="utf-8")
    content: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return content


def _plain(trained: TrainResult) -> dict[str, Any]:
    assert trained.scores is not None
    labels = {name: score.dice for name, score in trained.scores.per_label.items()}
    return {"dice": trained.scores.dice_average, "steps": trained.steps, "choice": trained.choice, "labels": labels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", type=Path, help="folder with train/ and val/")
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, nargs="*", default=[5.0, 20.0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--only", nargs="*", default=["camvid", *DRAWN, "quickstart"], help="these data sets")
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS), default=["decided"])
    options = parser.parse_args()

    print("| data | minutes | variant | Dice by seed | mean | steps |\n|---|---|---|---|---|---|", flush=True)
    for name in options.only:
        data = data_folder(options.output, name, options.camvid)
        for minutes in options.minutes:
            for variant in options.variants:
                place = options.output / name / f"{minutes:g}-minutes" / variant.replace(" ", "-")
                found = [score(data, place / str(seed), minutes, seed, variant) for seed in options.seeds]
                dice = [one["dice"] for one in found]
                steps = round(statistics.fmean(one["steps"] for one in found))
                row = (name, f"{minutes:g}", variant, ", ".join(f"{one:.3f}" for one in dice))
                print(f"| {' | '.join(row)} | {statistics.fmean(dice):.3f} | {steps:,} |", flush=True)


if __name__ == "__main__":
    main()
