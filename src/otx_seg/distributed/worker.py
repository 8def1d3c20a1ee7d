"""A process of a training that `otx train` started with others: its notes to the launcher."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from otx_seg.errors import OtxError
from otx_seg.processes import rank, world_size
from otx_seg.training.checkpoint import TRAIN
from otx_seg.workspace.atomic import write_json, write_text
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.logs import ROOT
from otx_seg.workspace.run_folder import RunFolder

FOLDER = "OTX_SEG_LAUNCH"
"""Environment variable with the folder in which processes and launcher leave each other notes; unset: no launcher."""

LAUNCHER = "OTX_SEG_LAUNCHER"
"""Environment variable with the launcher's process id."""

_RUN = "run"
_LOOK_S = 0.5  # from one look at the launcher to the next
_LOST = ("Connection closed by peer", "Connection reset by peer", "Connection refused", "Broken pipe", "Socket closed")
_SLOW = ("Timed out waiting", "timed out after", "Watchdog caught collective operation timeout")


class LostProcessError(OtxError):
    """Another process of the training has ended."""


@dataclass(frozen=True)
class Note:
    """How a process ended.

    Attributes:
        kind: class of the error.
        at: seconds since 1970.
    """

    message: str
    exit_code: int
    kind: str
    at: float


def leave_note(message: str, exit_code: int, error: BaseException) -> bool:
    """Leave a note for the launcher, which prints it.

    Returns:
        False if there is no launcher any more.
    """
    if launcher_is_gone():
        return False
    note = Note(message, exit_code, type(error).__name__, time.time())
    write_json(Path(os.environ[FOLDER]) / f"{rank()}.json", asdict(note))
    return True


def note_run(run: RunFolder) -> None:
    """Tell the launcher, if there is one, where results go."""
    if FOLDER in os.environ:
        write_text(Path(os.environ[FOLDER]) / _RUN, str(run.path.absolute()))


def read_notes(folder: Path) -> tuple[list[Note], RunFolder | None]:
    """What the processes of this machine left: how they failed, and the run's folder if it got one."""
    notes = [Note(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    run = folder / _RUN
    return notes, RunFolder(Path(run.read_text(encoding="utf-8"))) if run.exists() else None


def end_with_launcher() -> None:
    """Stop this process as SIGTERM does when its launcher ends, even if that was killed."""
    if FOLDER in os.environ:
        threading.Thread(target=_watch_launcher, daemon=True).start()


def _watch_launcher() -> None:
    while not launcher_is_gone():
        time.sleep(_LOOK_S)
    shutil.rmtree(os.environ[FOLDER], ignore_errors=True)  # as it would have
    os.kill(os.getpid(), signal.SIGTERM)


def launcher_is_gone() -> bool:
    """Whether the launcher that started this process has ended before it."""
    return os.getppid() != int(os.environ[LAUNCHER])


@contextlib.contextmanager
def only_errors() -> Iterator[None]:
    """Hide messages that the main process prints already."""
    root = logging.getLogger(ROOT)
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


@contextlib.contextmanager
def naming_lost_processes(run: RunFolder) -> Iterator[None]:
    """
    Raises:
        LostProcessError: in place of what the libraries say when a process they talk to is gone.
    """
    try:
        yield
    except RuntimeError as error:
        if world_size() == 1 or not any(words in str(error) for words in (*_LOST, *_SLOW)):
            raise
        raise LostProcessError(
            "another process of this training ended or does not answer; see its own messages; the last "
            "checkpoint is saved",
            resume_command(TRAIN, run.path),
        ) from error
