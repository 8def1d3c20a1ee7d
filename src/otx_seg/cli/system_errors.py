"""Messages for errors of the operating system that any reading or writing may raise."""

from __future__ import annotations

import errno
import os

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_NO_SUCH_PLACE = {
    errno.ENAMETOOLONG: "is too long for a file system (255 bytes for a name, 4,096 for a path); choose a shorter one",
    errno.ENOTDIR: "is not a folder, or one of its parents is not; choose another path",
    errno.EISDIR: "is a folder, but a file is expected; name a file, or another path",
    errno.ELOOP: "is a link to itself; name the folder itself",
    errno.ENOENT: "does not exist, or was removed while otx was running; restore it, then run the command again",
    errno.ESTALE: "is gone: the network disk was changed or lost; run the command again when it is back",
}
_OUT_OF_MEMORY = (
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "failed to map segment",
    "can't start new thread",
    "bad_alloc",
    "resource temporarily unavailable",
)
_SHOWN = 200  # characters of a path

NO_MEMORY = (
    "there is not enough memory for this, or a limit does not allow it (ulimit -v and -u, that of a container): close "
    "other programs, raise the limit, or choose a smaller learning_parameters.batch_size and num_workers=0"
)


def current_folder_is_gone() -> bool:
    """Whether the folder that this process was started in was removed."""
    try:
        os.getcwd()  # noqa: PTH109  (Path.cwd does more)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library reports that there is no more memory or no more threads."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    said = str(error).lower()
    return isinstance(error, (RuntimeError, ImportError, OSError)) and any(words in said for words in _OUT_OF_MEMORY)


def in_words(error: OSError) -> tuple[str, int] | None:
    """The message and the exit code; None for an unexpected error."""
    file = str(error.filename or "a file")
    file = file if len(file) <= _SHOWN else f"{file[:_SHOWN]}..."
    if error.errno in _FULL:
        what = (
            f"cannot write {file}: {error.strerror}; finished files are not affected. Free space or choose "
            "another --output, then run the command again"
        )
        return what, 1
    if error.errno in _FORBIDDEN:
        return f"{file}: {error.strerror}; change its permissions or choose another path", 1
    if error.errno in _TOO_MANY_FILES:
        what = (
            f"too many files are open at once ({file}); allow more with `ulimit -n 4096`, or load images in one "
            "process with learning_parameters.num_workers=0"
        )
        return what, 1
    if error.errno in _NO_SUCH_PLACE and error.filename:
        return f"{file}: {_NO_SUCH_PLACE[error.errno]}", 2 if error.errno == errno.ENAMETOOLONG else 1
    return None
