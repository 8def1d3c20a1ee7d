"""The training method: given, or chosen from the data."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from otx_seg.catalogue import nearest
from otx_seg.datasets import holds_bare_images
from otx_seg.errors import UsageError
from otx_seg.template.hyper_parameters import AlgoBackend

TRAIN_TYPES: tuple[str, ...] = get_args(AlgoBackend.model_fields["train_type"].annotation)
PARAMETER = "algo_backend.train_type"


ASKED, OF_TEMPLATE, OF_WORKSPACE = "as asked for", "as in the template", "as in the workspace"
"""Where a train type comes from, if it is not chosen here."""


def choose_train_type(
    asked: str | None, train_root: Path | None, val: bool, unlabelled: bool, why: str = ASKED
) -> tuple[str, str]:
    """The train type, and the reason for it in a few words.

    Args:
        asked: a name in upper or lower case, or None.
        train_root: the training data.
        val: whether validation data is given.
        unlabelled: whether images without masks are given beside those with masks.
        why: where `asked` comes from.

    Raises:
        UsageError: an unknown name, or one that does not go with the data.
    """
    if asked is None:
        if unlabelled:
            return "Semisupervised", "because unlabelled images are given"
        if train_root is not None and not val and holds_bare_images(train_root):
            return "Selfsupervised", f"because {train_root} has images without masks"
        return "Incremental", "because all images are labelled"
    known = {name.lower(): name for name in TRAIN_TYPES}
    if asked.lower() not in known:
        raise UsageError(f"--train-type {asked}: unknown; {nearest(asked.lower(), list(TRAIN_TYPES))}")
    chosen = known[asked.lower()]
    if chosen == "Semisupervised" and not unlabelled:
        raise UsageError("--train-type Semisupervised needs images without masks: give --unlabeled-data-roots FOLDER")
    if chosen == "Selfsupervised" and unlabelled:
        raise UsageError(
            "--train-type Selfsupervised learns from --train-data-roots alone: give the images without masks as that, "
            "and leave out --unlabeled-data-roots"
        )
    if chosen != "Semisupervised" and unlabelled:
        raise UsageError(f"--train-type {chosen} does not use unlabelled images: leave out --unlabeled-data-roots")
    if chosen == "Selfsupervised" and val:
        raise UsageError("--train-type Selfsupervised uses no masks: leave out --val-data-roots")
    return chosen, why
