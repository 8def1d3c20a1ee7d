"""Errors that end a training which can go on: they say how, and what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from otx_seg.datasets.loader_processes import LoadingError
from otx_seg.errors import OtxError, interrupted_by
from otx_seg.training.checkpoint import last_saved
from otx_seg.training.stopping import InterruptedRunError, StopRequest
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import RunFolder

if TYPE_CHECKING:
    from otx_seg.training.loop import Training


def interrupted(training: Training, stop_request: StopRequest) -> InterruptedRunError:
    """Save everything, if the last step is over; the error that ends the run."""
    by, made = stop_request.signal_name or "another process", count(training.position.step, "step")
    what = f"interrupted by {by} after {made}; {_saved(training)}"
    return InterruptedRunError(what, resume_command(training.command, training.run.path))


def without_images(training: Training, error: LoadingError) -> OtxError:
    """The same where the processes that load images are gone."""
    with suppress(RuntimeError):  # PyTorch tells of each that was killed
        training.loader.close()
    made = count(training.position.step, "step")
    return LoadingError(
        f"{error.what}. After {made}, {_saved(training)}", resume_command(training.command, training.run.path)
    )


@contextmanager
def saying_how_to_go_on(command: str, run: RunFolder, resumed: bool) -> Iterator[None]:
    """For what comes before and after the loop.

    Args:
        resumed: whether the run goes on; else what was saved before is of another one.

    Raises:
        InterruptedRunError: in place of KeyboardInterrupt, if there is something to go on with.
    """
    before = 0 if resumed else last_saved(run)
    try:
        yield
    except KeyboardInterrupt as error:
        if last_saved(run) <= before:
            raise
        what = f"{interrupted_by(error)}; what was saved last is there"
        raise InterruptedRunError(what, resume_command(command, run.path)) from error


def _saved(training: Training) -> str:
    if training.half_way:
        return "the run goes on from its last checkpoint"
    training.save_checkpoint()
    return "everything is saved"
