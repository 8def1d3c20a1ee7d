"""`otx optimize`: an INT8 model from a floating-point one."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import labels_option, output_options
from otx_seg.cli.parameters import ParametersCommand


@click.command("optimize", cls=ParametersCommand)
@click.argument("template", required=False)
@click.option("--load-weights", metavar="FILE", required=True, help="The .xml that `otx export` wrote.")
@labels_option
@click.option("--train-data-roots", metavar="FOLDER", required=True, help="Images that calibrate the value ranges.")
@click.option("--val-data-roots", metavar="FOLDER", help="Labelled data to compare on; else as in `otx train`.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Seed of the training, where its random split is to be repeated (default 42).",
)
@output_options
def command(**arguments: Any) -> None:
    """Quantise an OpenVINO model to INT8 and show what that costs and brings."""
    from otx_seg.cli.screen import counting, prepare_screen, results

    prepare_screen()
    from otx_seg.report.tables import table
    from otx_seg.verbs.optimize import optimize

    if arguments["seed"] is None:
        del arguments["seed"]
    with counting("quantising") as advance:
        result = optimize(
            arguments.pop("load_weights"),
            arguments.pop("train_data_roots"),
            arguments.pop("val_data_roots"),
            progress=lambda stage, done, total: advance(done, total),
            **arguments,
        )
    after = "INT8" if result.quantized_layers else "8-bit weights"
    models = (
        ("before", result.before, result.size_before, result.latency_before),
        (after, result.after, result.size_after, result.latency_after),
    )
    rows = [
        (
            name,
            f"{evaluation.scores.dice_average:.4f}",
            f"{evaluation.scores.m_iou:.4f}",
            f"{size / 1e6:.2f}",
            f"{1000 * latency:.1f}",
        )
        for name, evaluation, size, latency in models
    ]
    results.print(table(("model", "Dice", "mIoU", "MB", "ms per image"), rows))
    worth_it = result.quantized_layers + len(result.reverted_layers)
    results.print(
        f"{result.quantized_layers} of the {worth_it} layers worth it compute with integers; "
        f"{result.latency_before / result.latency_after:.2f} times as fast as before",
        soft_wrap=True,
    )
    results.print(f"Model: {result.model}", soft_wrap=True)
