"""`otx quickstart`: the whole job on a synthetic data set, with only the installed package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets import DEFAULT_SEED
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.deployment.files import size_of
from otx_seg.inference.evaluate import Evaluation
from otx_seg.inference.latency import compare_latency
from otx_seg.inference.predictor import load_predictor
from otx_seg.inputs.resolver import open_resolver
from otx_seg.report.pictures import draw_comparison
from otx_seg.report.run_report.make import FP32, INT8, TORCH, report_whole_job
from otx_seg.report.run_report.record import ModelRow
from otx_seg.training.loggers import Logger
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import optimize
from otx_seg.verbs.train import train
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import RunFolder, open_run

TEMPLATE = "EfficientNet-Lite0-FPN"
_PRODUCTS = ("data", "train", "export", "optimize")


@dataclass(frozen=True)
class Stage:
    """One model of the quickstart.

    Attributes:
        model: its file.
        size: bytes of its file or files.
        evaluation: how it did on the validation images.
        latency: seconds for one image, measured in turns with the others, see `compare_latency`.
    """

    name: str
    model: Path
    size: int
    evaluation: Evaluation
    latency: float


@dataclass(frozen=True)
class Quickstart:
    """The outcome: torch, OpenVINO FP32 and INT8, in this order, the picture of some predictions, and the report."""

    folder: Path
    stages: tuple[Stage, ...]
    picture: Path
    report: Path


def quickstart(
    output: str | Path | None = None,
    *,
    minutes: float,
    overwrite: bool = False,
    images: int = 400,
    side: int = 256,
    loggers: Sequence[Logger] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Quickstart:
    """Draw a synthetic data set, train, evaluate, export, quantise and evaluate again.

    Args:
        output: folder for everything; None: a new one in the workspace of the current folder.
        minutes: training time.
        overwrite: replace an earlier quickstart in `output`.
        images: how many are drawn.
        side: pixels of each side of an image.
        loggers: receive what is told of the training.
        say: called with a line before each stage.

    Raises:
        UsageError: `output` already holds a quickstart, or another command is working there.
        OtxError: a stage failed.
    """
    run = open_run(open_resolver(None).destination(output, overwrite), "quickstart", _PRODUCTS)
    with log_to(run):
        # 1. data
        say(f"drawing {images} images of {side}x{side} pixels into {run.path / 'data'}")
        draw_dataset(run.path / "data", images, side, DEFAULT_SEED)
        parameters = {
            "learning_parameters.input_size": f"{side}x{side}",
            "learning_parameters.max_minutes": minutes,
        }
        return _whole_job(run.path, parameters, overwrite, loggers, say)


def _whole_job(
    folder: Path, parameters: dict[str, Any], overwrite: bool, loggers: Sequence[Logger], say: Callable[[str], None]
) -> Quickstart:
    train_root, val_root = folder / "data" / "train", folder / "data" / "val"
    # 2. training, with an evaluation of its best weights
    minutes = parameters["learning_parameters.max_minutes"]
    say(f"training {TEMPLATE} for at most {minutes:g} minutes")
    trained = train(
        train_root,
        val_root,
        template=TEMPLATE,
        output=folder / "train",
        parameters=parameters,
        overwrite=overwrite,
        loggers=loggers,
    )
    say("evaluating the trained network")
    torch_scores = evaluate(val_root, load_weights=trained.weights, output=folder / "eval", overwrite=overwrite)
    # 3. export
    say("exporting to OpenVINO")
    exported = export(trained.weights, output=folder / "export", overwrite=overwrite)
    # 4. quantisation, with an evaluation before and after
    say("quantising to INT8, and evaluating before and after")
    quantized = optimize(exported.model, train_root, val_root, output=folder / "optimize", overwrite=overwrite)
    # 5. picture and table
    picture = folder / "overlay.png"
    draw_comparison(quantized.model, val_root, picture)
    models = {
        TORCH: (trained.weights, torch_scores),
        FP32: (exported.model, quantized.before),
        INT8: (quantized.model, quantized.after),
    }
    latencies = compare_latency([load_predictor(model) for model, _ in models.values()])
    stages = tuple(
        Stage(name, model, size_of(model), scores, latency)
        for (name, (model, scores)), latency in zip(models.items(), latencies, strict=True)
    )
    rows = [
        ModelRow(stage.name, str(stage.model), stage.evaluation.scores.dice_average, stage.size, stage.latency)
        for stage in stages
    ]
    run = RunFolder(folder)
    report_whole_job(run, "quickstart", rows, ("optimize", "train"))
    return Quickstart(folder, stages, picture, run.page)
