"""How much memory this process may take, all told and still: what the machine has, or what its container is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_UNLIMITED = 1 << 60
"""Version 1 of control groups writes a number beyond this for no limit."""


def allowed_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process may use, whoever uses them now; see `free_memory`."""
    installed = _of_machine("MemTotal", root)
    return None if installed is None else min([installed, *(limit for limit, _ in _limits(root))])


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be had without swapping; the least of the machine's and of every control group's around this
    process. Memory that only holds copies of files counts as free.

    Args:
        root: where ``proc`` and ``sys`` are.

    Returns:
        None where the system tells nothing (it is not Linux).
    """
    free = _of_machine("MemAvailable", root)
    return None if free is None else max(0, min([free, *(limit - used for limit, used in _limits(root))]))


def _of_machine(field: str, root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        known = {name: int(rest.split()[0]) << 10 for name, _, rest in (line.partition(":") for line in lines)}
        return known[field]
    except (OSError, KeyError, ValueError):
        return None


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """What each control group around this process is allowed, and what it has in use beside copies of files."""
    for folder, limit_file, usage_file, cached in _groups(root):
        try:
            limit = (folder / limit_file).read_text().strip()
            if limit == "max" or int(limit) >= _UNLIMITED:
                continue
            usage = int((folder / usage_file).read_text())
            pairs = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
            reclaimable = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}.get(cached, 0)
        except (OSError, ValueError):
            continue  # a group without memory limits
        yield int(limit), usage - reclaimable


def _groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """The folders of the control groups around this process, with the names of their files and of a field."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        inside = Path(path.lstrip("/"))
        # In a container the path may be one of the host's: its own group is mounted at the top.
        for folder in (inside, *inside.parents):
            yield (top / folder, *names)
