"""Whether all processes of a training are about to do the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from accelerate.utils import gather_object

from otx_seg.datasets import TrainingData
from otx_seg.errors import UsageError
from otx_seg.training.checkpoint import differences
from otx_seg.verbs.plan import Plan
from otx_seg.verbs.training_data import describe_data

_FILES = {"train": "training images", "val": "validation images", "unlabelled": "unlabelled images"}


def refuse_differences(plan: Plan, data: TrainingData) -> None:
    """Compare plan and data of all processes, on whatever machines; where the data lies may differ.

    Raises:
        UsageError: they are not the same, so that the processes would wait for each other in vain, or score other
            images than they should.
    """
    described = describe_data(plan, data)
    digests = {name: hashlib.sha256(json.dumps(described[name]).encode()).hexdigest() for name in _FILES}
    # The seed first: from another one follow other files, and not the other way round.
    mine = {"seed": plan.seed, **plan.template.as_dict(), **digests}
    if difference := first_difference(gather_object([mine])):
        raise UsageError(difference)


def first_difference(found: Sequence[dict[str, Any]]) -> str:
    """What the first process differs in that is not like process 0, in words; empty if all are alike.

    Args:
        found: for each process a digest of the files of each subset, the seed, and the template.
    """
    for rank, one in enumerate(found):
        for key, ours, theirs in differences(found[0], one)[:1]:
            what = f"other {_FILES[key]} than process 0" if key in _FILES else f"{key} = {theirs!r}, process 0 {ours!r}"
            return (
                f"process {rank} has {what}: start all machines with the same arguments, the same version and copies "
                "of the same data"
            )
    return ""
