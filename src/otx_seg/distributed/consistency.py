"""Whether all processes of a training are about to do the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from accelerate import PartialState
from accelerate.utils import gather_object

from otx_seg.datasets import TrainingData
from otx_seg.distributed.worker import LostProcessError
from otx_seg.errors import UsageError
from otx_seg.training.checkpoint import differences
from otx_seg.training.setup.data import describe_data
from otx_seg.training.setup.plan import Plan

T = TypeVar("T")

_FILES = {"train": "training images", "val": "validation images", "unlabelled": "unlabelled images"}
_LABEL_MAP = "label map"
_NOT_SHOWN = {**_FILES, _LABEL_MAP: "lines in its label map"}
"""What is too long for a message, in words."""


def all_or_none(work: Callable[[], T]) -> T:
    """Do what may fail on one machine alone, since a file is missing there, say; all processes end then.

    Args:
        work: it does not speak with other processes.

    Raises:
        LostProcessError: it failed in another process alone; in its own each error is raised as it is.
    """
    processes = PartialState()
    if processes.num_processes == 1:
        return work()
    found: list[T] = []
    failure = None
    try:
        found.append(work())
    except Exception as error:
        failure = error
    told = gather_object([None if failure is None else f"process {processes.process_index}: {failure}"])
    if failure is not None:
        raise failure
    others = [message for message in told if message is not None]
    if others:
        raise LostProcessError(f"the training did not begin: {others[0]}")
    return found[0]


def refuse_differences(plan: Plan, data: TrainingData) -> None:
    """Compare plan and data of all processes, on whatever machines; where the data lies may differ.

    Raises:
        UsageError: they are not the same, so that the processes would wait for each other in vain, or score other
            images than they should.
    """
    described = describe_data(plan, data)
    digests = {name: hashlib.sha256(json.dumps(getattr(described, name)).encode()).hexdigest() for name in _FILES}
    # The seed first: from another one follow other files, and not the other way round.
    teacher = "" if plan.teacher is None else plan.teacher.digest
    label_map = None if plan.data.label_map is None else plan.data.label_map.as_yaml()
    mine = {"seed": plan.seed, "teacher": teacher, **plan.template.as_dict(), _LABEL_MAP: label_map, **digests}
    if difference := first_difference(gather_object([mine])):
        raise UsageError(difference)


def first_difference(found: Sequence[dict[str, Any]]) -> str:
    """What the first process differs in that is not like process 0, in words; empty if all are alike.

    Args:
        found: for each process a digest of the files of each subset and of the teacher, the seed, and the template.
    """
    for rank, one in enumerate(found):
        for key, ours, theirs in differences(found[0], one)[:1]:
            what = f"{key} = {theirs!r}, process 0 {ours!r}"
            if key in _NOT_SHOWN:
                what = f"other {_NOT_SHOWN[key]} than process 0"
            return (
                f"process {rank} has {what}: start all machines with the same arguments, the same version and copies "
                "of the same data"
            )
    return ""
