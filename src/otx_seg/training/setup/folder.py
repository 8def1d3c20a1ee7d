"""The folder of a training: chosen, cleared, and what is written there before the first step."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from otx_seg.configuration.facts import Decision
from otx_seg.datasets import TrainingData
from otx_seg.errors import UsageError
from otx_seg.training.checkpoint import TRAIN, nothing_trained
from otx_seg.training.setup.data import describe_data
from otx_seg.training.setup.plan import Plan
from otx_seg.workspace.atomic import write_atomic, write_json, write_text
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import Destination, RunFolder, open_run
from otx_seg.workspace.weights import write_label_schema

logger = logging.getLogger(__name__)

_PRODUCTS = ("template.yaml", "models")


def open_training_run(plan: Plan, to: Destination) -> RunFolder:
    """The folder of a training: a new one, that of the run to resume, or one to continue with it elsewhere.

    Raises:
        UsageError: the folder holds a result or the teacher, or lies in a data folder.
        OtxError: it cannot be written to.
    """
    held = to.named
    if plan.resumed_run is None:
        if held is not None and plan.teacher is not None and plan.teacher.path == held.weights.resolve():
            raise UsageError(
                f"--teacher {plan.teacher.path}: would be replaced by what it teaches; choose another --output"
            )
        products = () if held is not None and nothing_trained(held) else _PRODUCTS
        begun = held is not None and (held.checkpoint.is_file() or held.search_settings.is_file())
        go_on = resume_command(TRAIN, held.path) if held is not None and begun else ""
        return open_run(to, TRAIN, products, plan.data.folders, go_on)
    if held is None or held.path.resolve() == plan.resumed_run.path.resolve():
        return open_run(Destination(plan.resumed_run.path), TRAIN)
    if plan.search is not None:
        raise UsageError(f"a search stays in its folder, {plan.resumed_run.path}: leave --output out")
    return open_run(to, TRAIN, _PRODUCTS, plan.data.folders)


def clear(run: RunFolder) -> None:
    """Remove what an earlier training left in a folder in which one begins."""
    for left_over in (
        run.template,  # the first to go as it is the last to come: with it, all that a training needs is there
        run.checkpoint,
        run.metrics,
        run.curves,
        run.weights,
        run.label_schema,
        run.report,
        run.page,
        run.image_scores,
        *run.best_networks(),
    ):
        left_over.unlink(missing_ok=True)
    for folder in (run.search, run.trackers, run.pictures, run.page_record.parent):
        shutil.rmtree(folder, ignore_errors=True)


def write_plan(plan: Plan, data: TrainingData, run: RunFolder) -> None:
    """Write down all that is needed to begin, or to continue with, a training."""
    if plan.train_type != "Selfsupervised":
        write_label_schema(run.label_schema, data.train.labels)
    describe_data(plan, data).write(run)
    write_decisions(run, plan.decisions)
    write_text(run.template, plan.template.as_yaml())


def write_decisions(run: RunFolder, decisions: Sequence[Decision]) -> None:
    """Write down what was decided, for `decisions_of`."""
    write_json(run.decisions, [decision.as_json() for decision in decisions])


def decisions_of(run: RunFolder) -> tuple[Decision, ...]:
    """The decisions a run began with, for its report; none where its folder no longer tells."""
    if not run.decisions.is_file():
        return ()
    try:
        return tuple(read_own(run.decisions, list[Decision], "the report will lack what was decided"))
    except UsageError as error:
        logger.warning("%s", error)
        return ()


def copy_run_files(plan: Plan, run: RunFolder) -> None:
    """Copy the files of a training that resumes in another folder."""
    if plan.resumed_run is None or plan.resumed_run.path.resolve() == run.path.resolve():
        return
    for before, now in zip(_carried(plan.resumed_run), _carried(run), strict=True):
        if before.exists():
            write_atomic(now, before.read_bytes())
        else:
            now.unlink(missing_ok=True)
    for name in ("trackers", "pictures"):
        before, now = getattr(plan.resumed_run, name), getattr(run, name)
        shutil.rmtree(now, ignore_errors=True)
        if before.exists():
            shutil.copytree(before, now)
    for left_over in run.best_networks():
        left_over.unlink()
    for network in plan.resumed_run.best_networks():
        write_atomic(run.checkpoint.with_name(network.name), network.read_bytes())
    if plan.resumed_run.weights.exists():
        run.weights.parent.mkdir(parents=True, exist_ok=True)
        run.weights.write_bytes(plan.resumed_run.weights.read_bytes())


def _carried(run: RunFolder) -> tuple[Path, ...]:
    return run.template, run.data, run.label_map, run.decisions, run.metrics, run.label_schema
