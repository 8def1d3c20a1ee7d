"""`otx train`: a trained network from a folder of images and masks."""

from __future__ import annotations

import os
from typing import Any

import click

from otx_seg.cli.parameters import ParametersCommand


@click.command("train", cls=ParametersCommand)
@click.argument("template", required=False)
@click.option("--train-data-roots", metavar="FOLDER", help="Training data: images/, masks/ and dataset_meta.json.")
@click.option(
    "--val-data-roots",
    metavar="FOLDER",
    help="Validation data; without it a subset called val in the training data, else a fifth of it, chosen by label.",
)
@click.option("--unlabeled-data-roots", metavar="FOLDER", help="Images without masks, to learn from as well.")
@click.option("--unlabeled-file-list", metavar="FILE", help="Names those to use, one path per line; else all.")
@click.option(
    "--train-type",
    metavar="TYPE",
    help="Incremental, Semisupervised or Selfsupervised; without it, what the data allows.",
)
@click.option("--load-weights", metavar="FILE", help="Start from these weights; labels are matched by name.")
@click.option("--resume-from", metavar="RUN", help="Go on with an interrupted run: its folder or its checkpoint file.")
@click.option("-o", "--output", metavar="FOLDER", help="Folder of the run; without it a new one in the workspace.")
@click.option("--overwrite", is_flag=True, help="Replace a result that the output folder already holds.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of every random number (default 42).")
@click.option("--deterministic", is_flag=True, help="Only deterministic GPU kernels, slower; a CPU always is.")
def command(**arguments: Any) -> None:
    """Train a network and keep the one that scores best on the validation data.

    It learns from labelled images, and from unlabelled ones too if they are given. From a folder of unlabelled images
    alone it learns a backbone, to be trained further with --load-weights.

    TEMPLATE is a name or id that `otx find` lists, or the path of a template file. Without it, and for every parameter
    that is auto, a value is chosen for the data, the machine and the time, and the reason is said.
    """
    from otx_seg.cli.screen import messages, prepare_screen, results

    prepare_screen()
    from otx_seg.report.progress import TrainingDisplay, format_duration
    from otx_seg.report.tables import scores_table
    from otx_seg.verbs.train import train

    train_root, val_root = arguments.pop("train_data_roots"), arguments.pop("val_data_roots")
    with TrainingDisplay(messages) as display:
        result = train(train_root, val_root, watcher=display, scan_progress=display.on_scan, **arguments)
    if os.environ.get("RANK", "0") != "0":
        return  # of the processes of a torchrun job, the first one tells
    if result.scores is not None:
        results.print(scores_table(result.scores, f"best epoch: {result.epoch} of {result.epochs}"))
    results.print(f"Trained for {format_duration(result.elapsed_s)}, {result.steps} steps: {result.reason}.")
    results.print(f"Weights: {result.weights}", soft_wrap=True)
    if result.scores is None:
        following = f"otx train --load-weights {result.weights} --train-data-roots LABELLED"
    else:
        following = f"otx export --load-weights {result.weights} --output exported"
    results.print(f"Next: {following}", soft_wrap=True)
