"""Reading damaged files: whatever is in them, it ends well or with an error for people, soon, and in little memory."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.mutations import Mutation, bytes_changed

from otx_seg.errors import OtxError

SEED = os.environ.get("OTX_SEG_FUZZ_SEED", "0")
MUTATIONS = int(os.environ.get("OTX_SEG_FUZZ_MUTATIONS", "200"))
LONGEST_TEXT = 2000  # characters of an error
LONGEST_S = 10.0
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        make: writes a good file, and what belongs to it, into an empty folder.
        file: the file that is damaged, below that folder, in the way of a glob.
        read: reads what is in the folder; given the folder and the file.
        mutation: damages that know what the file is; half of all are those of any file.
        share: of the number of mutations; less where reading takes long.
    """

    make: Callable[[Path], Any]
    file: str
    read: Callable[[Path, Path], Any]
    mutation: Mutation = bytes_changed
    share: float = 1.0


class TooLong(BaseException):
    """Not an Exception: nobody is to catch it on the way."""


def fuzz(name: str, kind: Kind, folder: Path, seed: str = SEED, mutations: int = MUTATIONS) -> list[str]:
    """What went wrong with damaged files of a kind; each is kept in the folder.

    The file at work stays in `data` below it, so that it is known after a crash.
    """
    root, failures = folder / "data", folder / "failures"
    root.mkdir(parents=True)
    failures.mkdir()
    kind.make(root)
    path = sorted(root.glob(kind.file))[0]
    good, wrong = path.read_bytes(), []
    _outcome(kind, root, path, must_succeed=True)
    before = _beside(path, root)
    for number in range(max(1, round(kind.share * mutations))):
        chance = random.Random(f"{seed} {name} {number}")
        bad = (kind.mutation if chance.random() < 0.5 else bytes_changed)(good, chance)
        path.write_bytes(bad)
        problem = _outcome(kind, root, path)
        if _beside(path, root) != before or path.read_bytes() != bad:
            problem = problem or "files were changed"
            shutil.rmtree(root)
            root.mkdir()
            kind.make(root)
            before = _beside(path, root)
        if problem:
            kept = failures / f"{number}{path.suffix}"
            kept.write_bytes(bad)
            wrong.append(f"{problem} [{name}, OTX_SEG_FUZZ_SEED={seed}, number {number}, {kept}]")
    return wrong


def _outcome(kind: Kind, root: Path, path: Path, must_succeed: bool = False) -> str:
    """What is wrong with how reading ended; empty: nothing."""
    peak, start = _peak_bytes(), time.monotonic()
    try:
        with _alarm(2 * LONGEST_S), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind.read(root, path)
    except OtxError as error:
        text = str(error)
        if must_succeed:
            raise
        if len(text) > LONGEST_TEXT:
            return f"the error has {len(text)} characters: {text[:200]!r}"
        if not text.replace("\n  ", "").replace(str(root), "").isprintable():
            return f"the error holds control characters: {text[:600]!r}"
    except (Exception, TooLong) as error:
        if must_succeed:
            raise
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        at = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
        return f"{type(error).__name__}: {str(error)[:300]!r} at {at}"
    if time.monotonic() - start > LONGEST_S:
        return f"took {time.monotonic() - start:.0f} s"
    if _peak_bytes() - peak > MOST_BYTES:
        return f"took {(_peak_bytes() - peak) / 1e9:.1f} GB"
    return ""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _beside(path: Path, root: Path) -> dict[str, tuple[int, int]]:
    """Sizes and times of all other files."""
    files = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
    return {str(file): (found.st_size, found.st_mtime_ns) for file in files if file != path for found in [file.stat()]}
