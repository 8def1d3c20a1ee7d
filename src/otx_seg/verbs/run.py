"""`otx run`: the whole job in one command, which goes on where it stopped."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import HowToRead, find_subsets
from otx_seg.deployment.benchmark import DEFAULT_SECONDS
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.verbs.benchmark import check_seconds
from otx_seg.verbs.interruption import interruptions_as_such
from otx_seg.verbs.job import (
    STATE,
    Asked,
    Display,
    Job,
    JobState,
    SilentDisplay,
    begin_anew,
    read_state,
    what_changed,
)
from otx_seg.verbs.job_outcome import Outcome, outcome_of
from otx_seg.verbs.job_steps import STEPS, Step
from otx_seg.verbs.place import Place, open_place
from otx_seg.verbs.place_of_data import to_measure_on_if_any
from otx_seg.verbs.place_of_training import fill_from
from otx_seg.verbs.plan import Request, Roots, make_plan
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run

logger = logging.getLogger(__name__)


def run(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    test_data_roots: str | Path | None = None,
    *,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    template: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int | None = None,
    parameters: dict[str, Any] | None = None,
    seconds: float = DEFAULT_SECONDS,
    shown: Callable[[], AbstractContextManager[Display]] = lambda: nullcontext(SilentDisplay()),
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Check, train, evaluate, export, quantise, measure and pack, stopping at the first failure.

    Called again, it goes on where it stopped: what is done is not done again, a training goes on from its checkpoint.
    What is not given is then as it was.

    Args:
        train_data_roots, val_data_roots, template, workspace, seed, parameters: see `train`.
        test_data_roots: labelled images to measure the models on; None: the test data of the workspace, else the
            validation data.
        train_ann_files, val_ann_files, test_ann_files: COCO files that describe these data, see `train` and `evaluate`.
        data_format: name of the format of the labelled data; None: that of the workspace, else what it looks like.
        output: folder for everything; None: that of the last such job of the workspace if it is unfinished or would
            come to the same, else a new one.
        overwrite: begin anew in a folder that holds a job.
        seconds: how long each model's speed is measured.
        shown: opens what shows a step while it works.
        say: called with a line before each step.

    Raises:
        UsageError: arguments that make no sense, or others than those of the job that `output` holds.
        DataError: the data cannot be used.
        OtxError: a step failed or was interrupted.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("otx run works in one process; start it without torchrun, or use otx train for that")
    check_seconds(seconds)  # now, not after hours of training
    place = open_place(workspace)
    asked = Asked(
        _absolute(template) if template is not None and Path(template).is_file() else _text(template),
        _absolute(train_data_roots),
        _absolute(val_data_roots),
        _absolute(test_data_roots),
        data_format,
        _absolute(train_ann_files),
        _absolute(val_ann_files),
        _absolute(test_ann_files),
        seed,
        parameters or {},
    )
    settle = functools.partial(_settle, place, workspace=workspace, seconds=seconds, shown=shown)
    folder = Path(output) if output is not None else _last_job(place)
    state = read_state(folder) if folder is not None and not overwrite else None
    if overwrite and asked == Asked() and folder is not None and (before := read_state(folder)) is not None:
        asked = before.asked
    if state is None:
        job = settle(asked)
    else:
        asked, job, state = _go_on(state, asked, settle, output is not None)
    # Beginning anew without --output is beginning the last job anew.
    asked_for = folder if state is not None or output is not None or overwrite else None
    held = () if state is not None else (STATE, *(step.name for step in STEPS))
    opened = open_run(asked_for, "run", held, overwrite, job.labelled_roots, place.outputs)
    job = replace(job, folder=opened.path)
    with log_to(opened):
        if overwrite:
            begin_anew(job.folder)
        state = state or JobState(job.folder / STATE, asked, job.inputs())
        skipped = _work_through(job, state, say)
    return outcome_of(job, state, skipped)


def _go_on(
    state: JobState, asked: Asked, settle: Callable[[Asked], Job], named: bool
) -> tuple[Asked, Job, JobState | None]:
    """The job to go on with, or a new one (without a state) where that was about something else.

    Args:
        asked: the arguments of this call; what they lack is as it was.
        named: whether the folder of the job was named; then it is this job or none.

    Raises:
        UsageError: the job named, or the unfinished job that nothing else was asked for than to go on with, was begun
            with something else.
    """
    folder, together = state.file.parent, asked.or_as_before(state.asked)
    job = settle(together)
    changed = what_changed(state.inputs, job.inputs())
    if not changed:
        return together, job, state
    finished = all(step.name in state.done for step in STEPS)
    if named or (asked == Asked() and not finished):
        raise UsageError(
            f"{folder}: the job there was begun with something else: {changed}; begin anew with --overwrite, or choose "
            "another --output"
        )
    logger.info("the last job, %s, was begun with something else: %s; this is a new one", folder, changed)
    return (together, job, None) if asked == Asked() else (asked, settle(asked), None)


def _last_job(place: Place) -> Path | None:
    """The folder of the job that was begun last among the outputs of the workspace."""
    jobs = (file.parent for file in place.outputs.glob(f"*_run*/{STATE}"))
    return max(jobs, key=lambda path: path.name, default=None)


def _settle(
    place: Place,
    asked: Asked,
    *,
    workspace: str | Path | None,
    seconds: float,
    shown: Callable[[], AbstractContextManager[Display]],
) -> Job:
    request = Request(
        train_root=asked.train_root,
        val_root=asked.val_root,
        how=asked.how,
        template=asked.template,
        seed=asked.seed,
        parameters=asked.parameters,
    )
    plan = make_plan(fill_from(place, request))
    if plan.train_type == "Selfsupervised":
        raise UsageError(
            "otx run makes models that segment, and these images come without masks; train a backbone with otx train"
        )
    test_root, how = _measured_on(place, asked, plan.roots)
    job = Job(
        folder=Path(),  # it is chosen when everything else is clear
        template=plan.template,
        train_root=plan.roots.train,
        val_root=plan.roots.val,
        test_root=test_root,
        unlabelled_root=plan.roots.unlabelled,
        unlabelled_list=plan.roots.unlabelled_list,
        seed=plan.seed,
        workspace=workspace,
        seconds=seconds,
        shown=shown,
        template_named=plan.template_named,
        given=plan.given,
        how=how,
    )
    for root in job.labelled_roots:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder")
    return job


def _measured_on(place: Place, asked: Asked, roots: Roots) -> tuple[Path | None, HowToRead]:
    """The folder to measure on, and how to read all data of a job.

    Raises:
        UsageError: a file of annotations is given for images to measure on, but no folder of them.
    """
    own = (asked.train_root, asked.val_root, asked.val_annotations) != (None, None, None)
    if asked.test_root is None and own and not place.data.test.named:
        _refuse_file_without_folder(asked)
        if _has_test_subset(roots):
            return roots.train, roots.how
        val = roots.train if roots.val is None and roots.how.val_annotations is not None else roots.val
        return val, replace(roots.how, test_annotations=roots.how.val_annotations)
    found = to_measure_on_if_any(place, asked.test_root, asked.how)
    if found is None:
        _refuse_file_without_folder(asked)
        return None, roots.how
    data_format = roots.how.data_format or found.how.data_format
    return found.root, replace(roots.how, data_format=data_format, test_annotations=found.how.test_annotations)


def _has_test_subset(roots: Roots) -> bool:
    """Whether the training folder holds images to measure on as well, which no choice of weights has seen."""
    described = roots.how.train_annotations is not None
    return not described and "test" in find_subsets(roots.train, roots.how.data_format)


def _refuse_file_without_folder(asked: Asked) -> None:
    if asked.test_annotations is not None:
        raise UsageError("--test-ann-files describes images in a folder: give --test-data-roots too")


def _work_through(job: Job, state: JobState, say: Callable[[str], None]) -> tuple[str, ...]:
    """Do what is left to do; gives the names of the steps that were done before."""
    skipped: list[str] = []
    for number, step in enumerate(STEPS):
        place_in_order = f"{number + 1} of {len(STEPS)}"
        result = state.done.get(step.name)
        if result is not None and (job.folder / result["file"]).is_file():
            skipped.append(step.name)
            continue
        state.forget_from(later.name for later in STEPS[number:])  # they were made from what is made now
        if skipped and len(skipped) == number:
            say(f"done before: {', '.join(skipped)}")
        say(f"step {place_in_order}: {step.title}")
        _do(step, place_in_order, job, state)
    return tuple(skipped)


def _do(step: Step, place_in_order: str, job: Job, state: JobState) -> None:
    state.stopped = {"step": step.name, "reason": "it is at work, or was ended with the whole process"}
    state.write()
    start = time.monotonic()
    try:
        with interruptions_as_such():
            result = step.work(job, state.done)
    except (OtxError, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else error.what
        kind = type(error) if isinstance(error, OtxError) else OtxError
        state.stopped = {"step": step.name, "reason": reason}
        if isinstance(error, (UsageError, DataError)) and not (job.folder / STEPS[0].name).exists():
            state.file.unlink(missing_ok=True)  # what was refused at once leaves nothing behind
            (job.folder / "template.yaml").unlink(missing_ok=True)
            raise
        state.write()
        raise kind(
            f"step {place_in_order}, {step.title}: {reason}. The whole job goes on with: "
            + otx_command("run", "--output", job.folder)
        ) from error
    state.done[step.name] = {**result, "seconds": round(time.monotonic() - start, 1)}
    state.stopped = {}
    state.write()


def _absolute(path: str | Path | None) -> str | None:
    return None if path is None else str(Path(path).resolve())


def _text(value: str | Path | None) -> str | None:
    return None if value is None else str(value)
