"""Commands that are told to be copied into a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path


def otx_command(*words: str | Path) -> str:
    """A command line of `otx`, without that word; paths with blanks and the like are quoted as a shell wants them."""
    return shlex.join(["otx", *map(str, words)])
