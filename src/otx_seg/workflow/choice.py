"""The job that a call of `otx run` means: a new one, that in a folder, or the last one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.datasets import DataSpec, find_subsets
from otx_seg.errors import DataError, UsageError
from otx_seg.inputs.data import evaluation_spec_if_any
from otx_seg.inputs.resolver import Resolver, open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.training.loggers import Logger
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.workflow.job import Job, JobRequest, JobState, first_change, only_evaluation_data_changed
from otx_seg.workflow.steps import STEPS
from otx_seg.workspace.workspace import Workspace, workspace_around

logger = logging.getLogger(__name__)

_STEPS = tuple(step.name for step in STEPS)
_UNTESTED = ("train",)
"""Steps that do not depend on what the models are evaluated on."""


@dataclass(frozen=True)
class Choice:
    """A job to do.

    Attributes:
        asked: its arguments, those of the call that began it among them.
        job: what its steps work on.
        folder: where it is or is to be; None: in a new one.
        state: what is done of it; None: it begins.
    """

    asked: JobRequest
    job: Job
    folder: Path | None
    state: JobState | None = None


def choose_job(
    asked: JobRequest,
    before: JobState | None,
    folder: Path | None,
    named: bool,
    anew: bool,
    settle: Callable[[JobRequest], Job],
) -> Choice:
    """
    Args:
        asked: the arguments of this call.
        before: the job that `folder` holds, if it holds one that can be read.
        folder: the one named, else that of the last job, if there is one.
        named: whether it was named; then it is this folder or none.
        anew: whether to start again in a folder that holds a job.
        settle: see `settle`.

    Raises:
        UsageError: the named or unfinished job was begun with other inputs, and has been trained since.
    """
    if before is None:
        return Choice(asked, settle(asked), folder if named else None)
    folder, wanted = before.file.parent, _wanted(asked, before, named, anew)
    try:
        job = settle(wanted)
    except DataError as error:
        if wanted.data.train_root == asked.data.train_root:
            raise
        hint = f"so says the job in {folder}; name other --train-data-roots, or another --output"
        raise DataError(f"{error.what} ({hint})") from error
    same_data = job.folders == before.inputs["folders"]
    if anew:
        return Choice(wanted, job, folder if named or same_data else None)
    inputs = job.inputs()
    changed = first_change(before.inputs, inputs)
    if not changed:
        return Choice(wanted, job, folder, replace(before, asked=wanted))
    if only_evaluation_data_changed(before.inputs, inputs):
        logger.info("%s: %s; the models are measured again", folder, changed)
        state = replace(before, asked=wanted, inputs=inputs)
        state.forget_from(name for name in _STEPS if name not in _UNTESTED)
        return Choice(wanted, job, folder, state)
    if not before.trained and (named or same_data or asked.nothing):
        logger.info("%s: starts again, because nothing has been trained there: %s", folder, changed)
        return Choice(wanted, job, folder, JobState(before.file, wanted, inputs))
    if named or (asked.nothing and not _finished(before)):
        raise UsageError(
            f"{folder}: the job there has other inputs: {changed}; start again with --overwrite, or choose "
            "another --output"
        )
    logger.info("the last job, %s, has other inputs: %s; this is a new one", folder, changed)
    if wanted != asked and not asked.nothing and _stands_alone(asked):
        wanted, job = asked, settle(asked)
    return Choice(wanted, job, None)


def _wanted(asked: JobRequest, before: JobState, named: bool, anew: bool) -> JobRequest:
    """The arguments of this call, completed by those of an earlier job that it resumes or starts again."""
    if asked.data.train_root is not None:
        elsewhere = asked.data.train_root != before.asked.data.train_root
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


def _stands_alone(asked: JobRequest) -> bool:
    """Whether arguments, or the workspace, name data."""
    return asked.data.train_root is not None or open_resolver(asked.workspace).names("train")


def _finished(state: JobState) -> bool:
    return all(name in state.done for name in _STEPS)


def settle(asked: JobRequest, *, seconds: float, shown: Callable[[], AbstractContextManager[Logger]]) -> Job:
    """The job of these arguments and workspace; its folder is chosen at the end.

    Args:
        seconds, shown: see `Job`.

    Raises:
        UsageError: they make no sense.
        DataError: there is no such data folder.
    """
    resolver = open_resolver(asked.workspace)
    request = Request(asked.data, template=asked.template, seed=asked.seed, parameters=asked.parameters)
    plan = make_plan(complete_request(resolver, request))
    if plan.train_type == "Selfsupervised":
        raise UsageError("otx run needs masks, and these images have none; train a backbone with otx train")
    plan = replace(plan, data=_with_test_data(resolver, asked.data, plan.data))
    for root in plan.data.labelled_folders:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder")
    workspace = None if resolver.workspace is None else resolver.workspace.path.resolve()
    return Job(Path(), plan, workspace, seconds, shown)


def _with_test_data(resolver: Resolver, asked: DataSpec, data: DataSpec) -> DataSpec:
    """All data of a job: for training and for evaluation.

    Raises:
        UsageError: an annotation file is given for images to evaluate on, but no folder of them.
    """
    own = (asked.train_root, asked.val_root, asked.val_annotations) != (None, None, None)
    if asked.test_root is None and own and not resolver.data.test.named:
        _refuse_file_without_folder(asked)
        if _has_test_subset(data):
            return replace(data, test_root=data.train_root)
        val_root = data.val_root or (data.train_root if data.validation_named else None)
        return replace(data, test_root=val_root, test_annotations=data.val_annotations)
    found = evaluation_spec_if_any(resolver, asked)
    if found is None:
        _refuse_file_without_folder(asked)
        return data
    if found.label_map not in (None, data.label_map):
        raise UsageError(
            f"data.yaml reads its labels through the label map {found.label_map.source}, and --train-data-roots "
            "is read without: give --label-map, or other images to evaluate on with --test-data-roots"
        )
    data_format = data.data_format or found.data_format
    return replace(data, test_root=found.test_root, test_annotations=found.test_annotations, data_format=data_format)


def _has_test_subset(data: DataSpec) -> bool:
    """Whether the training folder holds images to evaluate on as well, which no choice of weights has seen."""
    assert data.train_root is not None
    return data.train_annotations is None and "test" in find_subsets(data.train_root, data.data_format)


def _refuse_file_without_folder(asked: DataSpec) -> None:
    if asked.test_annotations is not None:
        raise UsageError("--test-ann-files describes images in a folder: give --test-data-roots too")
