"""The processes that load images: how many the system has room for, how they start, and what is said if one fails."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import logging
import multiprocessing.connection
import multiprocessing.queues
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import NoReturn

import torch

from otx_seg.errors import OtxError
from otx_seg.words import count

try:
    import resource
except ImportError:  # Windows; there is no such limit
    resource = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_TROUBLE = ("DataLoader worker (pid", "shared memory", "open files", "received 0 items of ancdata")  # PyTorch's words

_TOO_MANY_FILES, _CANNOT_SEND = 77, 78
"""Exit codes of a process that cannot hand over what it has read: else the main process would wait for it for ever."""

_MOMENT_S = 10.0

_ENOUGH_FILES = 4096
_FILES_OF_A_PROCESS = 8  # pipes and locks, in the main process
_BATCHES_AT_ONCE = 4  # whose tensors are open there
_SPARE_FILES = 24  # for checkpoints, logs and images

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


class LoadingError(OtxError):
    """The processes that load images failed, for want of something that the system has or allows too little of."""


def affordable(workers: int, tensors: int) -> int:
    """So many loader processes, or as many as there may be open files for; a warning says if that is fewer.

    The limit is raised as far as this process may raise it.

    Args:
        workers: processes that are wanted.
        tensors: in a batch; each is an open file in shared memory.
    """
    if not workers or resource is None:
        return workers
    fixed = _open_files() + tensors * _BATCHES_AT_ONCE + _SPARE_FILES
    wanted = fixed + workers * _FILES_OF_A_PROCESS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        highest = max(wanted, _ENOUGH_FILES)
        soft = highest if hard == resource.RLIM_INFINITY else min(highest, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return workers
    fewer = max(0, (soft - fixed) // _FILES_OF_A_PROCESS)
    _tell_of_limit(soft, fewer)
    return fewer


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (numbers, not files)
    except OSError:
        return 64


@functools.cache  # once: every validation opens a loader
def _tell_of_limit(limit: int, workers: int) -> None:
    how = f"{count(workers, 'process')}, fewer than asked for" if workers else "this process alone, which is slower"
    logger.warning(
        "no more than %d files may be open at once: images are loaded by %s; allow more with `ulimit -n %d`",
        limit,
        how,
        _ENOUGH_FILES,
    )


def start(_: int) -> None:
    """Prepare a process for loading images, in this process."""
    # Threads of a worker's own would only compete with the training step.
    torch.set_num_threads(1)
    _keep_memory()
    # Ctrl-C and the end of a terminal reach the whole process group, but only the main process knows how to end a run:
    # it saves first.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Python's threads that hand over results print what goes wrong there, for ever, and go on.
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end_after)  # type: ignore[attr-defined]
    sys.excepthook = _end_if_files_ran_out


def _end_after(error: BaseException, _: object) -> NoReturn:
    if isinstance(error, (BrokenPipeError, ConnectionError)):  # the main process has gone, or has no more use for it
        os._exit(0)
    if not _is_about_files(error):
        traceback.print_exception(error)
    os._exit(_TOO_MANY_FILES if _is_about_files(error) else _CANNOT_SEND)


def _end_if_files_ran_out(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if _is_about_files(error):
        os._exit(_TOO_MANY_FILES)
    sys.__excepthook__(kind, error, trace)


def _is_about_files(error: BaseException) -> bool:
    too_many = (errno.EMFILE, errno.ENFILE)
    if not isinstance(error, OSError) or error.errno in too_many:
        return isinstance(error, OSError)
    try:  # whoever looks for a temporary folder then says that there is none
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as again:
        return again.errno in too_many
    return False


def _keep_memory() -> None:
    """Let the C library reuse the memory of one image for the next, where it can be told to (glibc).

    By default it returns large blocks to the system, which then clears every page of every new image: on CamVid that
    took longer than decoding.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 128 << 20)


def is_about_processes(error: Exception) -> bool:
    """Whether an exception of the main process says that those which load for it failed."""
    return isinstance(error, (OSError, EOFError)) or any(words in str(error) for words in _TROUBLE)


@contextlib.contextmanager
def lost_in_words(workers: int) -> Iterator[None]:
    """For work with what `workers` processes load: PyTorch tells of the end of one wherever the main process is.

    Raises:
        LoadingError: in place of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        if _TROUBLE[0] not in str(error):
            raise
        raise in_words(error, workers) from error


def exit_codes(processes: Sequence[multiprocessing.Process]) -> list[int | None]:
    """How processes ended of which one is about to; its pipe is closed a moment before the system tells of its end."""
    if processes:
        ending = multiprocessing.connection.wait([process.sentinel for process in processes], timeout=_MOMENT_S)
        for process in processes:
            if process.sentinel in ending:
                process.join()
    return [process.exitcode for process in processes]


def in_words(error: Exception, workers: int, exit_codes: Sequence[int | None] = ()) -> LoadingError:
    """What is wrong and what to do.

    Args:
        workers: processes that load.
        exit_codes: of those that have ended, as `multiprocessing` gives them; PyTorch does not always tell.
    """
    said = (str(error).strip() or type(error).__name__).splitlines()[-1]
    for code in exit_codes:
        if code:
            said = f"exit code {code}" if code > 0 else f"killed by signal: {signal.strsignal(-code)}"
    if _is_about_files(error) or "open files" in said or f"exit code {_TOO_MANY_FILES}" in said:
        return LoadingError(
            f"too many files are open at once for {workers} processes that load images; allow more with "
            f"`ulimit -n {_ENOUGH_FILES}`, or load in the main process with learning_parameters.num_workers=0"
        )
    killed = re.search(r"killed by signal: ([^.]+)", said)
    if killed and "Bus error" not in killed[1]:
        return LoadingError(
            f"a process that loads images was killed ({killed[1].strip()}; often for lack of memory): load with fewer "
            "processes, or in the main process with learning_parameters.num_workers=0"
        )
    return LoadingError(
        f"the {workers} processes that load images failed ({said}); load in the main process with "
        "learning_parameters.num_workers=0, or give them more memory; if shared memory ran out, enlarge /dev/shm "
        "(docker: --shm-size)"
    )
