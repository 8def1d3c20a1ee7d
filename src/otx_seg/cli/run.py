"""`otx run`: the whole job."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    json_option,
    seed_option,
    template_argument,
    tracker_option,
    workspace_option,
)
from otx_seg.cli.parameters import ParametersCommand
from otx_seg.deployment.benchmark import DEFAULT_SECONDS


@click.command("run", cls=ParametersCommand)
@template_argument
@click.option("--train-data-roots", metavar="FOLDER", help="Training data, see `otx train`.")
@click.option("--val-data-roots", metavar="FOLDER", help="Validation data, see `otx train`.")
@click.option(
    "--test-data-roots",
    metavar="FOLDER",
    help="Data to evaluate on; default: a subset test of the training data, else the validation data.",
)
@annotation_options("train", "val", "test")
@seed_option
@click.option(
    "--seconds",
    type=float,
    default=DEFAULT_SECONDS,
    show_default=True,
    help="Time for measuring the speed of each model.",
)
@tracker_option
@workspace_option
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    help="The folder of the job; without it that of the last one, if it is unfinished or would come to the same, else "
    "a new one in the workspace.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Begin anew in that folder, as soon as the data has been found usable; without --output in that of the last "
    "job, if it is about the same data.",
)
@json_option
def command(as_json: bool, **arguments: Any) -> None:
    """Run the whole job: check, train, evaluate, export, quantise, measure, pack.

    It stops at the first failure. To resume, call it again with the same arguments, or with --output and its folder
    alone. Template and params are as for `otx train`, which chooses missing values.
    """
    from otx_seg.cli.screen import messages, results
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.report.tables import models_table
    from otx_seg.runtime.terminal import say_json
    from otx_seg.workflow.run import run

    result = run(
        shown=lambda: TrainingDisplay(messages), say=lambda text: messages.rule(text, align="left"), **arguments
    )
    if as_json:
        say_json(result.as_json())
        return
    rows = [(model.name, model.dice, model.m_iou, model.size, model.latency) for model in result.models]
    results.print(models_table(rows, f"{result.template}, {result.images} images"))
    for model in result.models:
        results.print(f"{model.name}: {model.file}")
    results.print(f"Package: {result.package}")
    results.print(f"Report: {result.report}")
