"""The processes of a training, from torchrun's environment; one process without it."""

from __future__ import annotations

import os

from otx_seg.errors import UsageError


def world_size() -> int:
    """All of them, on all machines."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def processes_here() -> int:
    """Those on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def refuse_several(command: str) -> None:
    """
    Args:
        command: what works in one process, as it is called.

    Raises:
        UsageError: there are several.
    """
    if world_size() > 1:
        raise UsageError(f"{command} works in one process; start it without torchrun")
