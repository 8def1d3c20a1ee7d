"""Errors that end a training which can be resumed: they say how, and what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from otx_seg.errors import OtxError, interrupted_by
from otx_seg.training.checkpoint import last_saved
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import FolderGoneError, RunFolder, free_place


@contextmanager
def with_resume_command(command: str, run: RunFolder, resumed: bool) -> Iterator[None]:
    """For what comes before and after the loop.

    Args:
        resumed: whether the run continues; else what was saved before is of another one.

    Raises:
        InterruptedRunError: in place of KeyboardInterrupt, if there is something to continue with.
    """
    before = 0 if resumed else last_saved(run)
    try:
        yield
    except KeyboardInterrupt as error:
        if last_saved(run) <= before:
            raise
        what = f"{interrupted_by(error)}; what was saved last is there"
        raise InterruptedRunError(what, resume_command(command, run.path)) from error


def rescued(
    error: FolderGoneError, of_run: RunFolder, steps: int, command: str, write: Callable[[RunFolder], None]
) -> OtxError:
    """Save a training whose folder is missing in a new one beside it; the error to end with.

    Args:
        command: the verb that continues with it.
        write: all that is needed for that into a folder.
    """
    run = replace(of_run, path=free_place(of_run.path.with_name(f"{of_run.path.name}_rescued")), identity=None)
    try:
        write(run)
    except OSError as problem:
        return OtxError(f"{error.what}. What was learned could not be saved beside it either ({problem.strerror})")
    learned = f"what was learned in {count(steps, 'step')} is saved in {run.path}"
    return OtxError(f"{error.what}; {learned}", resume_command(command, run.path))
