"""A home folder for the caches of libraries, if the process has none, as in containers with unknown users."""

from __future__ import annotations

import os
import stat


def give_home() -> None:
    """Without HOME or an entry in the list of users, use a temporary folder as home."""
    if os.name != "posix" or os.path.expanduser("~") != "~":  # noqa: PTH111  (Path.home raises)
        return
    import tempfile

    user = os.getuid()
    folder = os.path.join(tempfile.gettempdir(), f"otx-home-{user}")  # noqa: PTH118  (pathlib costs start-up time)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        found = os.lstat(folder)
        if found.st_uid != user or not stat.S_ISDIR(found.st_mode):  # somebody else's, or a link that they made
            folder = tempfile.mkdtemp(prefix="otx-home-")
    except OSError:
        folder = tempfile.gettempdir()
    os.environ["HOME"] = folder
    os.environ.setdefault("USER", str(user))
