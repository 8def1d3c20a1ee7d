"""`otx quickstart`: the whole job on synthetic data."""

from __future__ import annotations

import click

from otx_seg.cli.options import output_options
from otx_seg.cli.verb import Verb


@click.command("quickstart", cls=Verb)
@output_options
@click.option(
    "--minutes", type=click.FloatRange(0.05, 1000), default=3.0, show_default=True, help="Maximum training time."
)
def command(output: str | None, overwrite: bool, minutes: float) -> None:
    """Run the whole job on a small synthetic data set: train, evaluate, export, quantise.

    Needs no data, no network and no GPU.
    """
    from otx_seg.cli.screen import messages, results
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.report.tables import models_table
    from otx_seg.runtime.terminal import say
    from otx_seg.verbs.quickstart import TEMPLATE, quickstart

    with TrainingDisplay(messages) as display:
        result = quickstart(
            output,
            minutes=minutes,
            overwrite=overwrite,
            loggers=[display],
            say=lambda text: messages.rule(text, align="left"),
        )
    rows = [
        (stage.name, stage.evaluation.scores.dice_average, stage.evaluation.scores.m_iou, stage.size, stage.latency)
        for stage in result.stages
    ]
    results.print(models_table(rows, f"{TEMPLATE} on synthetic data"))
    results.print(f"Images, ground truth and predictions: {result.picture}")
    results.print(f"Report: {result.report}")
    say(
        "",
        "The same on your own data, a folder of images and masks in one of the usual formats:",
        "  otx check --data-roots FOLDER",
        "  otx run --train-data-roots FOLDER params --learning_parameters.max_minutes=30",
        "It splits off images for evaluation; see otx run --help.",
    )
