"""Whether all processes of a training are about to do the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from accelerate.utils import gather_object

from otx_seg.datasets import TrainingData
from otx_seg.errors import UsageError
from otx_seg.verbs.plan import Plan
from otx_seg.verbs.training_data import describe_data

_COMPARED = {
    "seed": "another seed",
    "train": "other training images",
    "val": "other validation images",
    "unlabelled": "other unlabelled images",
    "template": "other parameters or another template",
}


def refuse_differences(plan: Plan, data: TrainingData) -> None:
    """Compare plan and data of all processes, on whatever machines; where the data lies may differ.

    Raises:
        UsageError: they are not the same, so that the processes would wait for each other in vain, or score other
            images than they should.
    """
    described = {**describe_data(plan, data), "template": plan.template.as_dict()}
    mine = {name: hashlib.sha256(json.dumps(described[name]).encode()).hexdigest() for name in _COMPARED}
    if difference := first_difference(gather_object([mine])):
        raise UsageError(difference)


def first_difference(found: Sequence[dict[str, str]]) -> str:
    """What the first process differs in that is not like process 0, in words; empty if all are alike.

    Args:
        found: a digest of each thing compared, for each process.
    """
    for rank, digests in enumerate(found):
        differs = [words for name, words in _COMPARED.items() if digests[name] != found[0][name]]
        if differs:
            return (
                f"process {rank} has {' and '.join(differs)} than process 0: start all machines with the same "
                "arguments, the same version and copies of the same data"
            )
    return ""
