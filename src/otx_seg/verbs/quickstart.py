"""`otx quickstart`: the whole job on a data set it draws, with nothing but the installed package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets import DEFAULT_SEED
from otx_seg.datasets.synthetic import draw_dataset
from otx_seg.deployment.files import size_of
from otx_seg.inference.evaluate import Evaluation
from otx_seg.report.comparison import draw_comparison
from otx_seg.training.watcher import Watcher
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import optimize
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import open_run

TEMPLATE = "Lite-HRNet-s-mod2"
_IMAGES, _SIZE = 400, 256
_PRODUCTS = ("data", "train", "export", "optimize")


@dataclass(frozen=True)
class Stage:
    """One model of the journey: its file, its size in bytes, and how it did on the validation images."""

    name: str
    model: Path
    size: int
    evaluation: Evaluation


@dataclass(frozen=True)
class Quickstart:
    """The outcome: torch, OpenVINO FP32 and INT8, in this order, and the picture of some predictions."""

    folder: Path
    stages: tuple[Stage, ...]
    picture: Path


def quickstart(
    output: str | Path | None = None,
    *,
    minutes: float,
    overwrite: bool = False,
    watcher: Watcher | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Quickstart:
    """Draw a data set, train, evaluate, export, quantise and evaluate again.

    Args:
        output: folder for everything; None: a new one in the workspace of the current folder.
        minutes: training time.
        overwrite: replace an earlier quickstart in `output`.
        watcher: receives the reports of the training.
        say: called with a line before each stage.

    Raises:
        UsageError: `output` already holds a quickstart.
        OtxError: a stage failed.
    """
    run = open_run(Path(output) if output is not None else None, "quickstart", _PRODUCTS, overwrite)
    folder = run.path
    # 1. data
    say(f"drawing {_IMAGES} images of {_SIZE}x{_SIZE} pixels into {folder / 'data'}")
    draw_dataset(folder / "data", _IMAGES, _SIZE, DEFAULT_SEED)
    train_root, val_root = folder / "data" / "train", folder / "data" / "val"
    # 2. training
    say(f"training {TEMPLATE} from random weights for at most {minutes:g} minutes")
    parameters: dict[str, Any] = {
        "learning_parameters.input_size": f"{_SIZE}x{_SIZE}",
        "learning_parameters.max_minutes": minutes,
        "learning_parameters.pretrained": "none",
    }
    trained = train(
        train_root,
        val_root,
        template=TEMPLATE,
        output=folder / "train",
        parameters=parameters,
        overwrite=overwrite,
        watcher=watcher,
    )
    say("evaluating the trained network")
    torch_scores = evaluate(val_root, load_weights=trained.weights, output=folder / "eval", overwrite=overwrite)
    # 3. export
    say("exporting to OpenVINO")
    exported = export(trained.weights, output=folder / "export", overwrite=overwrite)
    # 4. quantisation, with an evaluation before and after
    say("quantising to INT8, and evaluating before and after")
    quantized = optimize(exported.model, train_root, val_root, output=folder / "optimize", overwrite=overwrite)
    # 5. picture
    picture = folder / "overlay.png"
    draw_comparison(quantized.model, val_root, picture)
    stages = (
        Stage("torch", trained.weights, trained.weights.stat().st_size, torch_scores),
        Stage("OpenVINO FP32", exported.model, size_of(exported.model), quantized.before),
        Stage("OpenVINO INT8", quantized.model, size_of(quantized.model), quantized.after),
    )
    return Quickstart(folder, stages, picture)
