"""`otx optimize`: quantises a model to INT8."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    labels_option,
    output_options,
    template_argument,
    workspace_option,
)
from otx_seg.cli.parameters import ParametersCommand


@click.command("optimize", cls=ParametersCommand)
@template_argument
@click.option(
    "--load-weights",
    metavar="FILE",
    help="The .xml of `otx export`: its weights do not change. Or the .pth of `otx train`: fine-tuned. Default: the "
    "model exported last in the workspace.",
)
@labels_option
@click.option(
    "--train-data-roots",
    metavar="FOLDER",
    help="Images that calibrate the value ranges; for a .pth with masks, to train on.",
)
@click.option(
    "--val-data-roots", metavar="FOLDER", help="Labelled data for the comparison; default: as in `otx train`."
)
@annotation_options("train", "val")
@click.option("--resume-from", metavar="RUN", help="Resume an interrupted fine-tuning: its folder or checkpoint.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Seed of a fine-tuning, and of the split (default: that of the last training on the same folder, else 42).",
)
@workspace_option
@output_options
def command(**arguments: Any) -> None:
    """Quantise a model to INT8, and show the loss of accuracy and the gains in size and speed.

    In an .xml, layers that cost too much stay in floating point. A .pth gets quantisation-aware training until the loss
    is within the limit, nncf_optimization.max_score_drop, of learning_parameters.watch.
    """
    from otx_seg.inputs.model import check_given_to_optimize

    # What is wrong with these is said before the long import.
    checked = ("load_weights", "train_data_roots", "resume_from", "workspace")
    check_given_to_optimize(*(arguments[name] for name in checked))
    from otx_seg.cli.screen import messages, results
    from otx_seg.deployment.outcome import FineTuned
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.report.tables import models_table
    from otx_seg.verbs.optimize import optimize
    from otx_seg.words import count

    with TrainingDisplay(messages) as display:
        result = optimize(loggers=[display], progress=display.on_scan, **arguments)
    after = "INT8" if result.quantized_layers else "8-bit weights"
    models = (
        ("before", result.before.scores, result.size_before, result.latency_before),
        (after, result.after.scores, result.size_after, result.latency_after),
    )
    rows = [(name, scores.dice_average, scores.m_iou, size, latency) for name, scores, size, latency in models]
    results.print(models_table(rows))
    if result.metric.key != "dice":
        results.print(result.summary)
    worth_it = result.quantized_layers + len(result.reverted_layers)
    results.print(
        f"{result.quantized_layers} of the {worth_it} layers worth it compute with integers; "
        f"{result.latency_before / result.latency_after:.2f} times as fast as before; "
        f"calibrated on {count(result.calibration_images, 'image')}"
    )
    results.print(f"Model: {result.model}")
    results.print(f"Report: {result.report}")
    if isinstance(result, FineTuned):
        results.print(f"Weights: {result.weights}")
