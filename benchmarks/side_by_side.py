"""Trainings that are compared, at the same time on one machine: whatever else it does hits all alike."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch


def side_by_side(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> None:
    """Call `work` with each of the arguments, in a process each with an equal share of the CPU cores.

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
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_on, args=(set(cores[number * share : (number + 1) * share]), work, arguments))
        for number, arguments in enumerate(calls)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("one of the trainings failed")


def _on(cores: set[int], work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    # Loading processes are forked in `otx train`; here they would be spawned, as this one was.
    multiprocessing.set_start_method("fork", force=True)
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    work(*arguments)
