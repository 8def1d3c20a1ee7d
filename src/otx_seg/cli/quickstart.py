"""`otx quickstart`: the whole job on drawn data."""

from __future__ import annotations

import click

from otx_seg.cli.options import output_options
from otx_seg.cli.verb import Verb


@click.command("quickstart", cls=Verb)
@output_options
@click.option(
    "--minutes", type=click.FloatRange(0.05, 1000), default=3.0, show_default=True, help="Training time at most."
)
def command(output: str | None, overwrite: bool, minutes: float) -> None:
    """Draw a small data set and run the whole job on it: train, evaluate, export, quantise.

    Needs no data, no network and no GPU.
    """
    from otx_seg.cli.screen import messages, prepare_screen, results

    prepare_screen()
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.report.tables import table
    from otx_seg.verbs.quickstart import TEMPLATE, quickstart

    with TrainingDisplay(messages) as display:
        result = quickstart(
            output,
            minutes=minutes,
            overwrite=overwrite,
            watcher=display,
            say=lambda text: messages.rule(text, align="left"),
        )
    rows = [
        (
            stage.name,
            f"{stage.evaluation.scores.dice_average:.4f}",
            f"{stage.evaluation.scores.m_iou:.4f}",
            f"{stage.size / 1e6:.2f}",
            f"{1000 * stage.latency:.1f}",
        )
        for stage in result.stages
    ]
    results.print(table(("model", "Dice", "mIoU", "MB", "ms per image"), rows, f"{TEMPLATE} on drawn data"))
    results.print(f"Images, truth and predictions: {result.picture}", soft_wrap=True)
    results.print(
        "\nThe same on your own data (a folder with images/, masks/ and dataset_meta.json):\n"
        "  otx train --train-data-roots FOLDER --output run\n"
        "  otx eval --test-data-roots FOLDER --load-weights run/models/weights.pth\n"
        "  otx export --load-weights run/models/weights.pth --output exported\n"
        "  otx optimize --load-weights exported/openvino.xml --train-data-roots FOLDER --output optimized\n"
        "  otx predict --input IMAGES --load-weights optimized/ptq/openvino.xml --output masks",
        soft_wrap=True,
        highlight=False,
    )
