"""`otx train --find-learning-rate`: which learning rate to train with.

The data, the network and its training are those that `otx train` would make of the same arguments. What is learned is
thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.errors import OtxError, UsageError
from otx_seg.inputs.last_round import with_last_round
from otx_seg.inputs.resolver import open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.interrupts import interruptions_as_such
from otx_seg.processes import world_size
from otx_seg.report.rate_range import describe_rates, write_rates
from otx_seg.report.training_report import announce_plan, write_report
from otx_seg.template import Template
from otx_seg.training import rate_range
from otx_seg.training.context import TrainContext
from otx_seg.training.loggers import Logger, Loggers, StepReport
from otx_seg.training.rate_range import RatePoint, measure, proposed_rate
from otx_seg.training.setup.build import begin, build_trainer, make_deterministic
from otx_seg.training.setup.data import label_weights
from otx_seg.training.setup.plan import Plan, Request, make_plan
from otx_seg.training.trainer import Trainer
from otx_seg.verbs.train import join_processes, open_training_data, settled, training_request
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import RunFolder, open_run

SEVERAL_PROCESSES = (
    "--find-learning-rate works in one process: leave out torchrun, --gpus, --rdzv-endpoint, --base-rank and "
    "--world-size"
)

_PRODUCTS = ("learning_rate.csv", "learning_rate.png", "template.yaml", "models")

_LEFT_OUT = {
    "learning_parameters.frozen_backbone_iters": 0,  # the rate is that of the whole network
    "learning_parameters.ema_keep": 0.0,  # the average changes no loss
    "learning_parameters.max_minutes": 0,
}
"""What of a training would only disturb the test."""


class NoRateError(OtxError):
    """A learning-rate range test whose loss never fell."""


@dataclass(frozen=True)
class RateRange:
    """The outcome of a learning-rate range test.

    Attributes:
        rate: the proposed learning rate.
        points: the steps of the test.
        table, picture: the files with them.
    """

    rate: float
    points: tuple[RatePoint, ...]
    table: Path
    picture: Path


def find_learning_rate(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    *,
    from_pretrained: bool = False,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    loggers: Sequence[Logger] = (),
    **arguments: Any,
) -> RateRange:
    """Train for 200 steps with a learning rate that grows from 1e-6 to 0.1, and propose one.

    ``learning_rate.csv`` and ``learning_rate.png`` show the losses. No weights are written.

    Args:
        train_data_roots, val_data_roots, from_pretrained, workspace, output, overwrite, loggers: see `train`.
        arguments: others of `train`, which say what would be trained; not `resume_from` and `enable_hpo`.

    Raises:
        UsageError: arguments that make no sense.
        DataError: the data cannot be used.
        NoRateError: the loss never fell, so that no rate can be proposed.
        OtxError: the training failed.
    """
    request = training_request(train_data_roots=train_data_roots, val_data_roots=val_data_roots, **arguments)
    _refuse(request)
    resolver = open_resolver(workspace)
    plan = make_plan(with_last_round(resolver, complete_request(resolver, request), from_pretrained))
    run = open_run(resolver.destination(output, overwrite), "learning_rate", _PRODUCTS, plan.data.folders)
    with log_to(run) as note, interruptions_as_such():
        told = Loggers(loggers)
        trainer, template = _prepare(plan, run, told)
        started = time.monotonic()
        try:
            points = measure(trainer, lambda point: told.on_step(_as_report(point, time.monotonic() - started)))
        finally:
            told.on_end(None)
        rate = proposed_rate(points)
        write_rates(points, rate, run)
        result = describe_rates(points, rate)
        what = "a learning-rate range test: nothing but the losses is kept\n"
        write_report(run.report, {"Content": what, "Configuration": template.as_yaml(), "Results": result})
        note(result)
        if rate is None:
            raise NoRateError(f"{result}; see {run.rate_picture}")
    return RateRange(rate, points, run.rate_range, run.rate_picture)


def _refuse(request: Request) -> None:
    """
    Raises:
        UsageError: the request is not that of a new training.
    """
    if world_size() > 1:
        raise UsageError(SEVERAL_PROCESSES)
    if request.resume_from is not None:
        raise UsageError(
            "--find-learning-rate and --resume-from: a run that is resumed keeps its learning rate; to test others "
            "from its weights, give --load-weights"
        )
    if request.enable_hpo:
        raise UsageError("--find-learning-rate and --enable-hpo both look for a learning rate: leave one of them out")


def _prepare(plan: Plan, run: RunFolder, loggers: Loggers) -> tuple[Trainer, Template]:
    """The training that the test is made with, and the template of the one that it is made for."""
    data, report = open_training_data(plan, run, loggers.on_scan)
    plan = settled(plan, data, report, join_processes())
    make_deterministic(plan.seed, plan.deterministic)
    plan, network, origin = begin(plan, data)
    announce_plan(plan, data, run, origin, f"{rate_range.STEPS} steps of growing learning rate")
    weights = () if report is None else label_weights(plan, report)
    context = TrainContext(plan.template.override(_LEFT_OUT), data, weights, run, plan.seed, teacher=plan.teacher)
    return build_trainer(context, network, origin), plan.template


def _as_report(point: RatePoint, elapsed_s: float) -> StepReport:
    steps = rate_range.STEPS
    return StepReport(point.step, steps, 1, point.step / steps, {"loss": point.loss}, point.rate, elapsed_s)
