"""`otx run`: the whole job in one command, which resumes where it stopped."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec
from otx_seg.deployment.benchmark import DEFAULT_SECONDS
from otx_seg.errors import DataError, OtxError, UsageError, interrupted_by
from otx_seg.inputs.resolver import open_resolver
from otx_seg.interrupts import interruptions_as_such
from otx_seg.processes import refuse_several
from otx_seg.report.run_report.make import report_whole_job
from otx_seg.template.plain_names import by_own_names, plainly
from otx_seg.training.loggers import Logger
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.out_of_memory import OutOfMemoryError
from otx_seg.training.trackers import check_trackers
from otx_seg.verbs.benchmark import check_seconds
from otx_seg.workflow.choice import choose_job, settle
from otx_seg.workflow.job import Job, JobRequest, JobState, read_state, remove_replaced
from otx_seg.workflow.outcome import Outcome, outcome_of
from otx_seg.workflow.steps import STEPS, Step
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import JOB_STATE, open_run

logger = logging.getLogger(__name__)

_OF_OTHERS = ("template.yaml", "models")
"""What shows that the folder is a training's, or that of a job which nothing tells of any more."""

_PARTS = ("eval_optimize", "train")
"""The steps whose reports the job's tells of: what is shipped comes first."""


def run(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    test_data_roots: str | Path | None = None,
    *,
    train_ann_files: str | Path | None = None,
    val_ann_files: str | Path | None = None,
    test_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    template: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int | None = None,
    parameters: dict[str, Any] | None = None,
    seconds: float = DEFAULT_SECONDS,
    trackers: Sequence[str] = (),
    shown: Callable[[], AbstractContextManager[Logger]] = lambda: nullcontext(Logger()),
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Check, train, evaluate, export, quantise, measure and pack, up to the first failure.

    Called again, it resumes where it stopped: what is done is not done again, a training continues from its checkpoint.
    What is not given is then as it was. A job that is finished is not about anything else than what was asked for.

    Args:
        train_data_roots, val_data_roots, template, workspace, seed, parameters, trackers: see `train`.
        test_data_roots: labelled images to measure the models on; None: the test data of the workspace, else the
            validation data.
        train_ann_files, val_ann_files, test_ann_files: COCO files that describe these data, see `train` and `evaluate`.
        data_format: name of the format of the labelled data; None: that of the workspace, else what it looks like.
        label_map: see `train`.
        output: folder for everything; None: that of the last such job of the workspace if it is unfinished or would
            come to the same, else a new one.
        overwrite: start again in a folder that holds a job; without `output` in that of the last one, if it is about
            the same data.
        seconds: how long each model's speed is measured.
        shown: opens what shows a step while it works.
        say: called with a line before each step.

    Raises:
        UsageError: arguments that make no sense, or others than those of the job that `output` holds; or another
            process is working on that.
        DataError: the data cannot be used.
        OtxError: a step failed or was interrupted.
    """
    refuse_several("otx run")
    check_seconds(seconds)  # now, not after hours of training
    check_trackers(trackers)
    asked = JobRequest(
        DataSpec.given(
            data_format,
            label_map,
            train_root=train_data_roots,
            val_root=val_data_roots,
            test_root=test_data_roots,
            train_annotations=train_ann_files,
            val_annotations=val_ann_files,
            test_annotations=test_ann_files,
        ).resolved(),
        template=_text(Path(template).resolve() if template is not None and Path(template).is_file() else template),
        seed=seed,
        parameters=by_own_names(parameters or {}),
        workspace=_text(workspace),
    )
    resolver = open_resolver(workspace)
    folder = Path(output) if output is not None else _last_job(resolver.outputs)
    as_it_stood = _content(folder)
    before = _state_before(folder, overwrite)
    settled = functools.partial(settle, seconds=seconds, shown=shown)
    choice = choose_job(asked, before, folder, output is not None, overwrite, settled)
    held = () if choice.state is not None else (JOB_STATE, *(step.name for step in STEPS), *_OF_OTHERS)
    to = resolver.destination(choice.folder, overwrite)
    opened = open_run(to, "run", held, choice.job.data.labelled_folders)
    job = replace(choice.job, folder=opened.path, trackers=trackers)
    with log_to(opened):
        if choice.folder is not None and _content(choice.folder) != as_it_stood:
            raise UsageError(f"{job.folder}: another otx command has just worked there; give the same command again")
        state = choice.state or JobState(job.folder / JOB_STATE, choice.asked, job.inputs())
        if any((job.folder / name).exists() for name in held):
            state.replaces = () if before is None else _make_room(before)
        # It may continue from another folder than that of the workspace, or from within one that it knows nothing of.
        state.asked = replace(state.asked, workspace=_text(job.workspace) or "")
        result = outcome_of(job, state, _run_steps(job, state, say))
        if len(result.skipped) < len(STEPS) or not opened.page.is_file():
            report_whole_job(opened, "run", result.rows(), _PARTS, result.findings)
        return result


def _last_job(outputs: Path) -> Path | None:
    """The folder of the job that was worked on last among the outputs of a workspace."""
    newest = max(outputs.glob(f"*/{JOB_STATE}"), key=lambda file: file.stat().st_mtime_ns, default=None)
    return None if newest is None else newest.parent


def _content(folder: Path | None) -> bytes | None:
    """What the state of a job looks like, if there is one in this folder."""
    file = None if folder is None else folder / JOB_STATE
    return file.read_bytes() if file is not None and file.is_file() else None


def _make_room(before: JobState) -> tuple[str, ...]:
    """Mark the check of a job as not done, because that of the new job replaces its page; returns the results of the
    other steps.
    """
    if before.done.pop(STEPS[0].name, None) is not None:
        before.write()
    return tuple(result["file"] for result in before.done.values())


def _state_before(folder: Path | None, anew: bool) -> JobState | None:
    """The state of the job in a folder, if it holds one; one that cannot be read is none where it is to start again.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return None if folder is None else read_state(folder)
    except UsageError:
        if not anew:
            raise
        return None


def _run_steps(job: Job, state: JobState, say: Callable[[str], None]) -> tuple[str, ...]:
    """Do the remaining steps; returns the names of the steps that were done before."""
    skipped: list[str] = []
    untold: list[str] = []
    for number, step in enumerate(STEPS):
        place_in_order = f"{number + 1} of {len(STEPS)}"
        result = state.done.get(step.name)
        if result is not None and (job.folder / result["file"]).is_file():
            skipped.append(step.name)
            untold.append(step.name)
            continue
        if number:  # of the check nothing is made
            state.forget_from(later.name for later in STEPS[number:])  # they were made from what is made now
        if untold:
            say(f"done before: {', '.join(untold)}")
            untold.clear()
        say(f"step {place_in_order}: {step.title}")
        _do(step, place_in_order, job, state)
    if len(skipped) == len(STEPS):
        given = "".join(f", with {plainly(name)}={value}" for name, value in state.asked.parameters.items())
        logger.info("%s: already done%s; --overwrite starts again", job.folder, given)
    return tuple(skipped)


def _do(step: Step, place_in_order: str, job: Job, state: JobState) -> None:
    state.stopped = {"step": step.name, "reason": "it is running, or ended with the whole process"}
    state.write()
    start = time.monotonic()
    try:
        with interruptions_as_such():
            result = step.work(job, state.done)
    except (OtxError, KeyboardInterrupt) as error:
        reason = interrupted_by(error) if isinstance(error, KeyboardInterrupt) else error.what
        kind = type(error) if isinstance(error, OtxError) else OtxError
        state.stopped = {"step": step.name, "reason": reason}
        if state.replaces is not None:
            stays = (
                "The job that is there stays, but for the page of its check; to replace it, give the same command again"
            )
            raise kind(f"step {place_in_order}, {step.title}: {reason}. {stays}") from error
        if isinstance(error, (UsageError, DataError)) and not (job.folder / STEPS[0].name).exists():
            state.file.unlink(missing_ok=True)  # what was refused at once leaves nothing behind
            raise
        state.write()
        raise kind(f"step {place_in_order}, {step.title}: {reason}. {_resume_advice(error, job, state)}") from error
    state.done[step.name] = {**result, "seconds": round(time.monotonic() - start, 1)}
    state.stopped = {}
    if state.replaces is not None:
        remove_replaced(state)
    state.write()


def _resume_advice(error: BaseException, job: Job, state: JobState) -> str:
    same = ("run", "--output", job.folder)
    if isinstance(error, DataError) and state.trained:
        return (
            f"Correct this, then resume the whole job with: {otx_command(*same)}; if the training data changes, start "
            f"it again with: {otx_command(*same, '--overwrite')}"
        )
    for kind, parameter in ((DivergedError, "learning_rate=RATE"), (OutOfMemoryError, "batch_size=IMAGES")):
        if isinstance(error, kind):  # with the same values it would come to the same
            command = otx_command(*same, "--overwrite", "params", f"--learning_parameters.{parameter}")
            return f"Start the whole job again with: {command}"
    when = "Correct this, then resume" if isinstance(error, (UsageError, DataError)) else "Resume"
    return f"{when} the whole job with: {otx_command(*same)}"


def _text(value: str | Path | None) -> str | None:
    return None if value is None else str(value)
