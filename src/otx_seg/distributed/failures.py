"""The launcher's messages on processes that failed or were interrupted."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from otx_seg.distributed.worker import LostProcessError, Note, read_notes
from otx_seg.errors import OtxError
from otx_seg.training.checkpoint import TRAIN
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import RunFolder


def first_failure(world_size: int, folder: Path, failures: dict[int, Any]) -> OtxError:
    """The error of the process that failed first.

    Args:
        world_size: processes on all machines.
        folder: with the notes of those on this one.
        failures: how they ended, by rank, as torchrun's agent saw it.
    """
    notes, run = read_notes(folder)
    ours = (signal.SIGTERM, signal.SIGINT)  # sent by the agent to the others
    ends = [(rank, -found.exitcode) for rank, found in sorted(failures.items())]
    killed = [(rank, number) for rank, number in ends if number > 0 and number not in ours]
    if killed:
        rank, number = killed[0]
        why = ", often because memory ran out" if number == signal.SIGKILL else ""
        return _to_be_continued(
            f"the process with rank {rank} (of 0 to {world_size - 1}) was killed by "
            f"{signal.Signals(number).name}{why}; the others were ended",
            run,
        )
    following = (LostProcessError.__name__, "InterruptedRunError", "KeyboardInterrupt")
    if notes:
        first = min(notes, key=lambda note: (note.kind in following, note.at))
        return _as_error(first)
    codes = ", ".join(f"{rank} with exit code {found.exitcode}" for rank, found in sorted(failures.items()))
    return _to_be_continued(f"processes ended without a message: {codes}", run)


def interrupted(folder: Path, number: signal.Signals) -> OtxError:
    """What to say after a signal to the launcher, which it has passed on."""
    notes, run = read_notes(folder)
    saved = [note for note in notes if note.kind == "InterruptedRunError"]
    return _as_error(saved[0]) if saved else _to_be_continued(f"interrupted by {number.name}", run)


def _as_error(note: Note) -> OtxError:
    error = OtxError(note.message)
    error.exit_code = note.exit_code
    return error


def _to_be_continued(what: str, run: RunFolder | None) -> OtxError:
    if run is None or not run.checkpoint.exists():
        return OtxError(what)
    return OtxError(f"{what}. The last checkpoint is saved; details: {run.log}", resume_command(TRAIN, run.path))
