"""`otx train`: a trained network from a folder of images and masks."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import annotation_options, overwrite_option, seed_option, workspace_option
from otx_seg.cli.parameters import ParametersCommand, as_words
from otx_seg.processes import rank
from otx_seg.words import count


@click.command("train", cls=ParametersCommand)
@click.argument("template", required=False)
@click.option("--train-data-roots", metavar="FOLDER", help="Training data, say images/, masks/ and dataset_meta.json.")
@click.option(
    "--val-data-roots",
    metavar="FOLDER",
    help="Validation data; without it a subset called val in the training data, else a fifth of it, chosen by label.",
)
@annotation_options("train", "val")
@click.option("--unlabeled-data-roots", metavar="FOLDER", help="Images without masks, to learn from as well.")
@click.option("--unlabeled-file-list", metavar="FILE", help="Names those to use, one path per line; else all.")
@click.option(
    "--train-type",
    metavar="TYPE",
    help="Incremental, Semisupervised or Selfsupervised; without it, what the data allows.",
)
@click.option("--load-weights", metavar="FILE", help="Start from these weights; labels are matched by name.")
@click.option("--resume-from", metavar="RUN", help="Go on with an interrupted run: its folder or its checkpoint file.")
@workspace_option
@click.option("-o", "--output", metavar="FOLDER", help="Folder of the run; without it a new one in the workspace.")
@overwrite_option
@seed_option
@click.option("--deterministic", is_flag=True, help="Only deterministic GPU kernels, slower; a CPU always is.")
@click.option(
    "--mem-cache-size",
    metavar="SIZE",
    help="Memory for decoded training images, such as 500MB or 2GiB; 0: none (default 1GB, or half of what is free).",
)
@click.option("--gpus", metavar="N,N", help="Train on these GPUs together, a process on each.")
@click.option("--rdzv-endpoint", metavar="HOST:PORT", help="Where several machines meet: on the first of them.")
@click.option(
    "--base-rank", metavar="N", type=click.IntRange(0), help="Number of this machine's first process (default 0)."
)
@click.option(
    "--world-size",
    metavar="N",
    type=click.IntRange(1),
    help="Processes of all machines; without GPUs and --rdzv-endpoint: on this CPU.",
)
@click.option("--enable-hpo", is_flag=True, help="Search for a better learning rate and batch size first.")
@click.option(
    "--hpo-time-ratio",
    metavar="R",
    type=float,
    help="Time of search and training together, as a multiple of the training's alone.  [1.1, or what two trials take]",
)
@click.option(
    "--hpo-parallel",
    metavar="N",
    type=int,
    help="Trials of the search at once, each in a process; without it one for each GPU.",
)
@click.pass_context
def command(context: click.Context, **arguments: Any) -> None:
    """Train a network and keep the one that scores best on the validation data.

    It learns from labelled images, and from unlabelled ones too if they are given. From a folder of unlabelled images
    alone it learns a backbone, to be trained further with --load-weights.

    TEMPLATE is a name or id that `otx find` lists, or the path of a template file. Without it, and for every parameter
    that is auto, a value is chosen for the data, the machine and the time, and the reason is said.
    """
    from otx_seg.cli.screen import messages, results

    scaling = {name: arguments.pop(name) for name in ("gpus", "rdzv_endpoint", "base_rank", "world_size")}
    scaling = {name: value for name, value in scaling.items() if value is not None}
    if scaling:
        from otx_seg.distributed.launcher import scale_out

        scale_out(["train", *as_words(context.command, arguments)], **scaling)
        return
    from otx_seg.report.progress import TrainingDisplay, format_duration
    from otx_seg.report.tables import scores_table
    from otx_seg.verbs.train import train

    train_root, val_root = arguments.pop("train_data_roots"), arguments.pop("val_data_roots")
    with TrainingDisplay(messages) as display:
        result = train(train_root, val_root, loggers=[display], **arguments)
    if rank() != 0:
        return  # of the processes of a torchrun job, the first one tells
    if result.scores is not None:
        results.print(scores_table(result.scores, f"best epoch: {result.epoch} of {result.epochs}"))
    results.print(f"Trained for {format_duration(result.elapsed_s)}, {count(result.steps, 'step')}: {result.reason}.")
    results.print(f"Weights: {result.weights}")
    if result.scores is None:
        following = f"otx train --load-weights {result.weights} --train-data-roots LABELLED"
    else:
        following = f"otx export --load-weights {result.weights} --output exported"
    results.print(f"Next: {following}")
