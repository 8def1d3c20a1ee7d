"""Command lines for messages, to be copied into a terminal."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from otx_seg.processes import world_size

LAUNCH_OPTIONS = "OTX_SEG_LAUNCH_OPTIONS"
"""Environment variable with the options by which a command was started in several processes, in one line."""


def otx_command(*words: str | Path) -> str:
    """A command line of `otx`, without that word; paths with blanks and the like are quoted as a shell wants them."""
    return shlex.join(["otx", *map(str, words)])


def resume_command(verb: str, run: Path) -> str:
    """The command that resumes a run in as many processes as it has now, on this machine."""
    options = shlex.split(os.environ.get(LAUNCH_OPTIONS, ""))
    command = otx_command(verb, "--resume-from", run, *options)
    by_another = not options and world_size() > 1
    return f"{command} (under torchrun, as before)" if by_another else command
