"""`otx train`: a trained network from a folder of images and masks."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import (
    annotation_options,
    overwrite_option,
    seed_option,
    template_argument,
    tracker_option,
    workspace_option,
)
from otx_seg.cli.parameters import ParametersCommand, as_words
from otx_seg.errors import UsageError
from otx_seg.processes import rank
from otx_seg.words import count, listed
from otx_seg.workspace.command_line import otx_command


@click.command("train", cls=ParametersCommand)
@template_argument
@click.option(
    "--train-data-roots", metavar="FOLDER", help="Training data, such as images/, masks/ and dataset_meta.json."
)
@click.option(
    "--val-data-roots",
    metavar="FOLDER",
    help="Validation data; default: a subset called val in the training data, else a split of a fifth of it.",
)
@annotation_options("train", "val")
@click.option("--unlabeled-data-roots", metavar="FOLDER", help="Images without masks for semi-supervised training.")
@click.option(
    "--unlabeled-file-list", metavar="FILE", help="List of the images to use, one path per line; default: all."
)
@click.option(
    "--train-type",
    metavar="TYPE",
    help="Incremental, Semisupervised or Selfsupervised; default: as the data allows.",
)
@click.option("--load-weights", metavar="FILE", help="Start from these weights; labels are matched by name.")
@click.option(
    "--from-pretrained",
    is_flag=True,
    help="In a workspace with added data: start from pretrained weights, not from those of its last training.",
)
@click.option(
    "--teacher",
    metavar="FILE",
    help="Learn from this trained or exported model too (.pth, .xml, .onnx, .zip); it has the labels of the data.",
)
@click.option("--resume-from", metavar="RUN", help="Resume an interrupted run: its folder or its checkpoint file.")
@workspace_option
@click.option("-o", "--output", metavar="FOLDER", help="Folder of the run; default: a new one in the workspace.")
@overwrite_option
@seed_option
@click.option(
    "--deterministic", is_flag=True, help="Use only deterministic GPU kernels (slower); CPUs are always deterministic."
)
@click.option(
    "--mem-cache-size",
    metavar="SIZE",
    help="Memory for decoded training images, such as 500MB or 2GiB; 0: none (default 1GB, or half of what is free).",
)
@tracker_option
@click.option("--gpus", metavar="N,N", help="Train on these GPUs, with one process on each.")
@click.option(
    "--rdzv-endpoint", metavar="HOST:PORT", help="Rendezvous address for several machines: that of the first one."
)
@click.option(
    "--base-rank", metavar="N", type=click.IntRange(0), help="Rank of this machine's first process (default 0)."
)
@click.option(
    "--world-size",
    metavar="N",
    type=click.IntRange(1),
    help="Number of processes on all machines; without GPUs and --rdzv-endpoint: on this CPU.",
)
@click.option("--enable-hpo", is_flag=True, help="First search for a better learning rate and batch size.")
@click.option(
    "--hpo-time-ratio",
    metavar="R",
    type=float,
    help="Time of search and training together, as a multiple of the training's time.  [1.1, or time for two trials]",
)
@click.option(
    "--hpo-parallel",
    metavar="N",
    type=int,
    help="Number of parallel trials, each in a process; default: one per GPU.",
)
@click.option(
    "--find-learning-rate",
    is_flag=True,
    help="Train nothing, but test growing learning rates for 200 steps and propose one, with a picture.",
)
@click.option(
    "--folds",
    metavar="K",
    type=int,
    help="Cross-validation: divide the images by label into K folds, and train K networks, each validated on another.",
)
@click.option("--fold", metavar="I", type=int, help="Train only this one of the --folds, from 1.")
@click.pass_context
def command(context: click.Context, **arguments: Any) -> None:
    """Train a network on a folder of images and masks.

    Trains on labelled images, and on unlabelled images too if they are given. With a folder of only unlabelled images
    it trains a backbone, for a later training with --load-weights.

    TEMPLATE is a name or id from `otx find`, or the path of a template file. Without it, and for every parameter
    that is auto, a value is chosen from the data, the machine and the time, with the reason.
    """
    scaling = {name: arguments.pop(name) for name in ("gpus", "rdzv_endpoint", "base_rank", "world_size")}
    scaling = {name: value for name, value in scaling.items() if value is not None}
    if arguments.pop("find_learning_rate"):
        _find_learning_rate(context.command, scaling, arguments)
        return
    if _has_folds(arguments):
        _cross_validate(scaling, arguments)
        return
    del arguments["folds"], arguments["fold"]
    if scaling:
        from otx_seg.distributed.launcher import scale_out

        scale_out(["train", *as_words(context.command, arguments)], **scaling)
        return
    _train(arguments)


def _has_folds(arguments: dict[str, Any]) -> bool:
    if arguments["folds"] is not None or arguments["fold"] is not None:
        return True
    from otx_seg.workspace.run_folder import folds_in

    return arguments["resume_from"] is not None and bool(folds_in(arguments["resume_from"]))


def _train(arguments: dict[str, Any]) -> None:
    from otx_seg.cli.screen import messages, results
    from otx_seg.report.progress import TrainingDisplay, format_duration
    from otx_seg.report.run_report.last_round import last_round_lines
    from otx_seg.report.tables import scores_table
    from otx_seg.report.training_report import network_kept
    from otx_seg.verbs.train import train
    from otx_seg.workspace.run_folder import RunFolder

    train_root, val_root = arguments.pop("train_data_roots"), arguments.pop("val_data_roots")
    with TrainingDisplay(messages) as display:
        result = train(train_root, val_root, loggers=[display], **arguments)
    if rank() != 0:
        return  # only the first process of a torchrun job prints
    if result.scores is not None:
        results.print(scores_table(result.scores, network_kept(result)))
    for line in last_round_lines(RunFolder(result.report.parent)):
        results.print(line)
    results.print(f"Trained for {format_duration(result.elapsed_s)}, {count(result.steps, 'step')}: {result.reason}.")
    results.print(f"Weights: {result.weights}")
    results.print(f"Report: {result.report}")
    if result.scores is None:
        following = f"otx train --load-weights {result.weights} --train-data-roots LABELLED"
    else:
        following = f"otx export --load-weights {result.weights} --output exported"
    results.print(f"Next: {following}")


def _cross_validate(scaling: dict[str, Any], arguments: dict[str, Any]) -> None:
    from otx_seg.cli.screen import messages, results
    from otx_seg.report.cross_validation import folds_table, scores_of_folds
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.verbs.cross_validate import SEVERAL_PROCESSES, cross_validate

    if scaling:
        raise UsageError(SEVERAL_PROCESSES)
    del arguments["from_pretrained"]  # as each fold does
    with TrainingDisplay(messages) as display:
        found = cross_validate(arguments.pop("train_data_roots"), loggers=[display], **arguments)
    if found.missing:
        results.print(f"Dice of the finished folds: {scores_of_folds(found)}")
        results.print(f"Not trained yet: {listed(found.missing)} of {found.folds}.")
        results.print(f"Next: {otx_command('train', '--resume-from', found.folder)}")
        return
    results.print(folds_table(found))
    results.print(f"Dice of the folds: {scores_of_folds(found)}")
    results.print(f"Results: {found.folder}")
    all_of_them = [word for file in found.weights for word in ("--load-weights", file)]
    results.print(f"Next, with the mean of all: {otx_command('predict', *all_of_them, '--input', 'IMAGES')}")
    results.print(f"or: {otx_command('eval', *all_of_them, '--test-data-roots', 'UNSEEN')}")


def _find_learning_rate(command: click.Command, scaling: dict[str, Any], arguments: dict[str, Any]) -> None:
    from otx_seg.cli.screen import messages, results
    from otx_seg.report.progress import TrainingDisplay
    from otx_seg.report.rate_range import describe_rates
    from otx_seg.template.search_space import LEARNING_RATE
    from otx_seg.verbs.find_learning_rate import SEVERAL_PROCESSES, find_learning_rate

    if scaling:
        raise UsageError(SEVERAL_PROCESSES)
    if arguments.pop("folds") is not None or arguments.pop("fold", None) is not None:
        raise UsageError(
            "--find-learning-rate and --folds cannot be combined: find the rate first, and give it to the folds"
        )
    if trackers := arguments.pop("trackers"):
        raise UsageError(f"--tracker {trackers[0]} shows trainings, not --find-learning-rate, which draws a picture")
    asked = {**arguments, "output": None, "overwrite": False}
    with TrainingDisplay(messages) as display:
        roots = arguments.pop("train_data_roots"), arguments.pop("val_data_roots")
        found = find_learning_rate(*roots, loggers=[display], **arguments)
    asked["parameters"] = {**asked["parameters"], LEARNING_RATE: f"{found.rate:g}"}
    results.print(describe_rates(found.points, found.rate))
    results.print(f"Losses: {found.table}, {found.picture}")
    results.print(f"Next: {otx_command('train', *as_words(command, asked))}")
