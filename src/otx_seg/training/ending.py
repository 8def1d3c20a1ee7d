"""Errors that end a training which can go on: they say how, and what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otx_seg.datasets.loader_processes import LoadingError
from otx_seg.errors import OtxError
from otx_seg.training.stopping import InterruptedRunError, StopRequest
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command

if TYPE_CHECKING:
    from otx_seg.training.loop import Training


def interrupted(training: Training, stop_request: StopRequest) -> InterruptedRunError:
    """Save everything, if the last step is over; the error that ends the run."""
    by, made = stop_request.signal_name or "another process", count(training.position.step, "step")
    what = f"interrupted by {by} after {made}; {_saved(training)}"
    return InterruptedRunError(what, resume_command(training.command, training.run.path))


def without_images(training: Training, error: LoadingError) -> OtxError:
    """The same where the processes that load images are gone."""
    made = count(training.position.step, "step")
    return LoadingError(
        f"{error.what}. After {made}, {_saved(training)}", resume_command(training.command, training.run.path)
    )


def _saved(training: Training) -> str:
    if training.half_way:
        return "the run goes on from its last checkpoint"
    training.save_checkpoint()
    return "everything is saved"
