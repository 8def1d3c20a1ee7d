"""Errors that end a training which can go on: they say how, and what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from otx_seg.datasets.loader_processes import LoadingError
from otx_seg.errors import OtxError, interrupted_by
from otx_seg.training.checkpoint import last_saved
from otx_seg.training.state import write_state
from otx_seg.training.stopping import InterruptedRunError, StopRequest
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import FolderGoneError, RunFolder

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


def rescued(error: FolderGoneError, training: Training, describe: Callable[[RunFolder], None]) -> OtxError:
    """Save a training whose folder is gone in a new one beside it, with its best network so far; the error to end with.

    A best network that was kept before the run was resumed was in the folder alone, and stays lost.

    Args:
        describe: writes into a folder what else is needed to go on.
    """
    run = replace(training.run, path=_free_beside(training.run.path), identity=None)
    try:
        describe(run)
        training.selection.write_kept(run)
        write_state(training, run)
    except OSError as problem:
        return OtxError(f"{error.what}. What was learned could not be saved beside it either ({problem.strerror})")
    learned = f"what was learned in {count(training.position.step, 'step')} is saved in {run.path}"
    return OtxError(f"{error.what}; {learned}", resume_command(training.command, run.path))


def _free_beside(folder: Path) -> Path:
    candidate, number = folder.with_name(f"{folder.name}_rescued"), 2
    while candidate.exists():
        candidate = folder.with_name(f"{folder.name}_rescued_{number}")
        number += 1
    return candidate


def _saved(training: Training) -> str:
    if training.half_way:
        return "the run goes on from its last checkpoint"
    training.save_checkpoint()
    return "everything is saved"
