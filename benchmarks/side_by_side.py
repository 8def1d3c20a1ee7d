"""Trainings that are compared, at the same time on one machine: whatever else it does hits all alike.

They take turns on its cores, since cores are not equal: of the two that these benchmarks ran on, the second one made
6 % fewer steps of the same training.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

_TURN_S = 10.0


def side_by_side(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> None:
    """Call `work` with each of the arguments, in a process each with an equal share of the CPU cores, in turns.

    With a GPU, or with fewer cores than calls, one after the other. What is found out, `work` has to write down.

    Args:
        work: a function of a module.

    Raises:
        SystemExit: one of them failed; what it said stands above.
    """
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // len(calls)
    if torch.cuda.is_available() or not share:
        for arguments in calls:
            work(*arguments)
        return
    parts = [set(cores[number * share : (number + 1) * share]) for number in range(len(calls))]
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_on, args=(part, work, arguments)) for part, arguments in zip(parts, calls, strict=True)
    ]
    for process in processes:
        process.start()
    while working := [process.sentinel for process in processes if process.is_alive()]:
        multiprocessing.connection.wait(working, timeout=_TURN_S)
        parts = parts[1:] + parts[:1]
        for process, part in zip(processes, parts, strict=True):
            _move(process.pid, part)
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("one of the trainings failed")


def _move(pid: int | None, cores: set[int]) -> None:
    """Let a process, those it has started, and all their threads compute on these cores."""
    with contextlib.suppress(OSError):  # it has ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)
            for child in (task / "children").read_text().split():
                _move(int(child), cores)


def _on(cores: set[int], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # Loading processes are forked in `otx train`; here they would be spawned, as this one was.
    multiprocessing.set_start_method("fork", force=True)
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    work(*arguments)
