"""The processors that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container


def usable_processors() -> list[int] | None:
    """The numbers of the processors this process may run on, or None where the system has no such list."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def processor_count(quota: Path = _QUOTA) -> int:
    """How many processors this process may use, at least 1.

    Args:
        quota: a file with the microseconds of computing that a control group gets in each period, and the period:
            https://docs.kernel.org/admin-guide/cgroup-v2.html, ``cpu.max``.
    """
    usable = usable_processors()
    count = len(usable) if usable is not None else os.cpu_count() or 1
    try:
        granted, _, period = quota.read_text(encoding="ascii").partition(" ")
    except (OSError, UnicodeDecodeError):
        return count
    if not (granted.isdecimal() and period.strip().isdecimal()):
        return count  # "max": as many as there are
    return max(1, min(count, -(-int(granted) // int(period))))
