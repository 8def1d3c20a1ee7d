"""Which job a call of `otx run` means: a new one, that in a folder, or the last one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.datasets import HowToRead, find_subsets
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.data import to_measure_on_if_any
from otx_seg.inputs.resolver import Place, open_place
from otx_seg.inputs.training import fill_from
from otx_seg.training.loggers import Logger
from otx_seg.training.setup.plan import Request, Roots, make_plan
from otx_seg.workflow.job import Asked, Job, JobState, concerns_tests_alone, what_changed
from otx_seg.workflow.steps import STEPS
from otx_seg.workspace.workspace import Workspace, workspace_around

logger = logging.getLogger(__name__)

_STEPS = tuple(step.name for step in STEPS)
_UNTESTED = ("train",)
"""Steps that do not depend on what the models are measured on."""


@dataclass(frozen=True)
class Choice:
    """A job to do.

    Attributes:
        asked: its arguments, those of the call that began it among them.
        job: what its steps work on.
        folder: where it is or is to be; None: in a new one.
        state: what is done of it; None: it begins.
    """

    asked: Asked
    job: Job
    folder: Path | None
    state: JobState | None = None


def choose_job(
    asked: Asked,
    before: JobState | None,
    folder: Path | None,
    named: bool,
    anew: bool,
    settle: Callable[[Asked], Job],
) -> Choice:
    """
    Args:
        asked: the arguments of this call.
        before: the job that `folder` holds, if it holds one that can be read.
        folder: the one named, else that of the last job, if there is one.
        named: whether it was named; then it is this folder or none.
        anew: whether to begin anew in a folder that holds a job.
        settle: see `settle`.

    Raises:
        UsageError: the job named, or the unfinished job that nothing else was asked for than to go on with, was begun
            with something else, and has been trained since.
    """
    if before is None:
        return Choice(asked, settle(asked), folder if named else None)
    folder, wanted = before.file.parent, _wanted(asked, before, named, anew)
    try:
        job = settle(wanted)
    except DataError as error:
        if wanted.train_root == asked.train_root:
            raise
        hint = f"so says the job in {folder}; name other --train-data-roots, or another --output"
        raise DataError(f"{error.what} ({hint})") from error
    same_data = job.folders == before.inputs["folders"]
    if anew:
        return Choice(wanted, job, folder if named or same_data else None)
    inputs = job.inputs()
    changed = what_changed(before.inputs, inputs)
    if not changed:
        return Choice(wanted, job, folder, replace(before, asked=wanted))
    if concerns_tests_alone(before.inputs, inputs):
        logger.info("%s: %s; the models are measured anew", folder, changed)
        state = replace(before, asked=wanted, inputs=inputs)
        state.forget_from(name for name in _STEPS if name not in _UNTESTED)
        return Choice(wanted, job, folder, state)
    if not before.trained and (named or same_data or asked.nothing):
        logger.info("%s: begins anew, since nothing was trained there yet: %s", folder, changed)
        return Choice(wanted, job, folder, JobState(before.file, wanted, inputs))
    if named or (asked.nothing and not _finished(before)):
        raise UsageError(
            f"{folder}: the job there was begun with something else: {changed}; begin anew with --overwrite, or choose "
            "another --output"
        )
    logger.info("the last job, %s, was begun with something else: %s; this is a new one", folder, changed)
    if wanted != asked and not asked.nothing and _stands_alone(asked):
        wanted, job = asked, settle(asked)
    return Choice(wanted, job, None)


def _wanted(asked: Asked, before: JobState, named: bool, anew: bool) -> Asked:
    """The arguments of this call, with those of a job before where they go on with it or begin it anew."""
    if asked.train_root is not None:
        elsewhere = asked.train_root != before.asked.train_root
        alone = anew or (elsewhere and not (named and before.trained)) or (_finished(before) and not named)
    else:
        # In a workspace what is finished is finished: a call without data is about that of the workspace.
        alone = not named and _stands_alone(asked) and (not asked.nothing if anew else _finished(before))
    if alone:
        return asked
    together = asked.or_as_before(before.asked)
    # Found among the outputs of this workspace, it is a job of this workspace, whatever that was called before.
    if not named:
        return replace(together, workspace=asked.workspace)
    # Moved with its workspace, it is a job of that all the same.
    around = workspace_around(before.file.parent.resolve())
    moved = bool(together.workspace) and bool(Workspace(Path(str(together.workspace))).missing) and around is not None
    return replace(together, workspace=str(around)) if moved else together


def _stands_alone(asked: Asked) -> bool:
    """Whether arguments, or the workspace, name data."""
    return asked.train_root is not None or open_place(asked.workspace).names("train")


def _finished(state: JobState) -> bool:
    return all(name in state.done for name in _STEPS)


def settle(asked: Asked, *, seconds: float, shown: Callable[[], AbstractContextManager[Logger]]) -> Job:
    """The job that arguments and workspace ask for; its folder is chosen when everything else is clear.

    Args:
        seconds, shown: see `Job`.

    Raises:
        UsageError: they make no sense.
        DataError: there is no such folder of data.
    """
    place = open_place(asked.workspace)
    request = Request(
        train_root=asked.train_root,
        val_root=asked.val_root,
        how=asked.how,
        template=asked.template,
        seed=asked.seed,
        parameters=asked.parameters,
    )
    request = fill_from(place, request)
    plan = make_plan(request)
    if plan.train_type == "Selfsupervised":
        raise UsageError(
            "otx run makes models that segment, and these images come without masks; train a backbone with otx train"
        )
    test_root, how = _measured_on(place, asked, plan.roots)
    job = Job(
        folder=Path(),
        template=plan.template,
        train_root=plan.roots.train,
        val_root=plan.roots.val,
        test_root=test_root,
        unlabelled_root=plan.roots.unlabelled,
        unlabelled_list=plan.roots.unlabelled_list,
        seed=plan.seed,
        workspace=None if place.workspace is None else place.workspace.path.resolve(),
        seconds=seconds,
        shown=shown,
        template_named=plan.template_named,
        given=request.parameters,
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
