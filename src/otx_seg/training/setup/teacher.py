"""The teacher of a training: settled for a new one, found again for one that resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.inference.teacher import open_model_of
from otx_seg.workspace.teacher_file import TeacherFile, teacher_at

_GROUP = "distillation."


def choose_teacher(given: str | Path | None, train_type: str, parameters: dict[str, Any]) -> TeacherFile | None:
    """The teacher of a new training.

    Args:
        given: its file, or None.
        parameters: that are asked for, ``{"group.name": value}``.

    Raises:
        UsageError: it cannot be used, the training has no use for it, or there are parameters for one and it is none.
    """
    if given is None:
        idle = next((name for name in parameters if name.startswith(_GROUP)), None)
        if idle is not None:
            raise UsageError(f"{idle} says how to learn from a trained model: give otx train its --teacher too")
        return None
    if train_type == "Selfsupervised":
        raise UsageError(
            "--teacher answers with labels, and self-supervised training has none: leave it out, or give images with "
            "masks"
        )
    try:
        found = teacher_at(Path(given))
    except UsageError as error:
        raise UsageError(f"--teacher {error}") from error
    open_model_of(found)  # now, not after the images have been looked through
    return found


def resumed_teacher(given: str | Path | None, recorded: TeacherFile | None) -> TeacherFile | None:
    """The teacher of a training that resumes: the same file as before, wherever it is now.

    Args:
        given: where it is, or None: where it was.
        recorded: that of the run, or None.

    Raises:
        UsageError: it is missing or another one.
    """
    if recorded is None:
        if given is not None:
            raise UsageError(
                "--teacher: the run to resume has none; leave it out, or start a new run with --load-weights"
            )
        return None
    path = recorded.path if given is None else Path(given)
    if not path.is_file():
        raise UsageError(
            f"{path}: the teacher of the run to resume is missing; put it back, or say with --teacher where it is now"
        )
    found = teacher_at(path)
    if found.digest != recorded.digest:
        raise UsageError(
            f"{path}: is not the teacher of the run to resume, or was changed since (SHA-256 {found.digest[:12]}... "
            f"instead of {recorded.digest[:12]}...); put that back, say with --teacher where it is now, or start a new "
            "run with --load-weights"
        )
    return found
