"""`otx train --gpus ...`: the same training in several processes, under the elastic agent of torchrun."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from otx_seg.distributed.failures import first_failure, interrupted
from otx_seg.distributed.rendezvous import meet
from otx_seg.distributed.worker import FOLDER, LAUNCHER, read_notes
from otx_seg.errors import UsageError
from otx_seg.interrupts import interruptions_as_such
from otx_seg.runtime.processors import processor_count
from otx_seg.training.devices import on_cpu
from otx_seg.workspace.command_line import LAUNCH_OPTIONS

_HERE = "localhost:0"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ENDPOINT = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:\s]+):(?P<port>\d{1,5})")
_HANDLED = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
_AGENT = "torch.distributed.elastic"


@dataclass(frozen=True)
class Launch:
    """The processes of a training.

    Attributes:
        gpus: numbers of this machine's GPUs that take part; None: its CPU.
        processes: on this machine, and on each other.
        world_size: on all machines.
        base_rank: number of this machine's first process.
        host, port: where the machines meet; port 0: any that is free.
    """

    gpus: tuple[int, ...] | None
    processes: int
    world_size: int
    base_rank: int
    host: str
    port: int

    @property
    def nodes(self) -> int:
        return self.world_size // self.processes

    @property
    def node(self) -> int:
        return self.base_rank // self.processes


def scale_out(
    words: Sequence[str],
    gpus: str | None = None,
    rdzv_endpoint: str = _HERE,
    base_rank: int = 0,
    world_size: int = 0,
) -> None:
    """Run a command in several processes to its end.

    Args:
        words: the arguments of `otx` that each process gets.
        gpus: numbers of GPUs, separated by commas, a process for each; None: processes on the CPU.
        rdzv_endpoint: ``HOST:PORT`` of the first machine, where all meet; port 0: any free one, for this machine alone.
        base_rank: number of this machine's first process.
        world_size: processes of all machines; 0: of this one.

    Raises:
        UsageError: the arguments make no sense together or on this machine.
        OtxError: a process failed; the error of the one that was first, with its exit code.
    """
    launch = settle_launch(gpus, rdzv_endpoint, base_rank, world_size)
    options = _options(gpus, rdzv_endpoint, base_rank, world_size)
    # The processes may be quicker: those whose launcher was killed remove its folder.
    notes = tempfile.TemporaryDirectory(prefix="otx-launch-", ignore_cleanup_errors=True)
    with _ending_in_order(), notes as name:
        folder, plan = Path(name), {"processes": launch.processes, "world_size": launch.world_size}
        meeting = meet(launch.host, launch.port, launch.nodes, launch.node, plan)
        with _environment(launch, folder, options), _agent_log(folder):
            try:
                _launch(launch, meeting.port, folder, words)
            except ChildFailedError as error:
                raise first_failure(launch.world_size, folder, error.failures) from None
            except SignalException as stop:
                raise interrupted(folder, stop.sigval) from KeyboardInterrupt(stop.sigval)
            finally:
                _keep_log(folder)
    del meeting  # the first machine's store has served all processes until here


def settle_launch(gpus: str | None, rdzv_endpoint: str, base_rank: int, world_size: int) -> Launch:
    """What the arguments of `scale_out` mean here.

    Raises:
        UsageError: they make no sense together or on this machine.
    """
    if "RANK" in os.environ:
        raise UsageError(
            "this is one process of a torchrun job already: leave out --gpus, --rdzv-endpoint, --base-rank and "
            "--world-size, which belong to torchrun"
        )
    host, port = _parse_endpoint(rdzv_endpoint)
    chosen = None if gpus is None else _parse_gpus(gpus)
    if chosen is None and not on_cpu():
        raise UsageError(
            "--world-size, --base-rank, --rdzv-endpoint: name the GPUs of this machine too, as in --gpus 0,1"
        )
    several = port != 0
    # On CPUs one process per machine uses all cores; several on one machine are for trying things out.
    processes = len(chosen) if chosen is not None else (1 if several else max(world_size, 1))
    world_size = world_size or processes
    if not several and world_size != processes:
        raise UsageError(
            f"--world-size {world_size} with {processes} GPUs here: the others are on other machines, which need a "
            "common address: give --rdzv-endpoint HOST:PORT"
        )
    if world_size % processes or base_rank % processes:
        raise UsageError(
            f"--world-size {world_size} --base-rank {base_rank}: both must be multiples of the {processes} processes "
            "here: all machines have the same number"
        )
    if base_rank >= world_size:
        raise UsageError(f"--base-rank {base_rank}: the {world_size} processes have ranks 0 to {world_size - 1}")
    return Launch(chosen, processes, world_size, base_rank, host, port)


def _parse_endpoint(text: str) -> tuple[str, int]:
    match = _ENDPOINT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise UsageError(f"--rdzv-endpoint {text}: is not HOST:PORT, such as 192.168.0.2:29500")
    host, port = match["host"].strip("[]"), int(match["port"])
    if port == 0 and host not in _LOCAL:
        raise UsageError(f"--rdzv-endpoint {text}: port 0 (any free port) works only on localhost; name a port")
    return host, port


def _parse_gpus(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--gpus {text}: is not a list of GPU numbers, such as 0,1")
    chosen = tuple(map(int, words))
    count = torch.cuda.device_count()
    if not count:
        raise UsageError(
            f"--gpus {text}: PyTorch finds no GPU on this machine; leave it out, and --world-size N trains with N "
            "processes on the CPU"
        )
    unknown = [number for number in chosen if number >= count]
    if unknown:
        there = ", ".join(f"{number} ({torch.cuda.get_device_name(number)})" for number in range(count))
        raise UsageError(f"--gpus {text}: there is no GPU {unknown[0]}; this machine has {there}")
    if len(set(chosen)) < len(chosen):
        raise UsageError(f"--gpus {text}: names a GPU twice")
    return chosen


def _options(gpus: str | None, rdzv_endpoint: str, base_rank: int, world_size: int) -> list[str]:
    """The arguments of `scale_out` as options of the command that began it."""
    named = {
        "--gpus": gpus,
        "--rdzv-endpoint": rdzv_endpoint if rdzv_endpoint != _HERE else None,
        "--base-rank": base_rank or None,
        "--world-size": world_size or None,
    }
    return [str(word) for option, value in named.items() if value is not None for word in (option, value)]


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let signals interrupt; put back the handlers that the agent leaves behind."""
    before = {number: signal.getsignal(number) for number in _HANDLED}
    try:
        with interruptions_as_such():
            yield
    except SignalException as stop:  # between two of the agent's steps
        raise KeyboardInterrupt(stop.sigval) from stop
    finally:
        with suppress(ValueError):
            for number, handler in before.items():
                if handler is not None:  # else it was not set by Python
                    signal.signal(number, handler)


@contextmanager
def _environment(launch: Launch, folder: Path, options: Sequence[str]) -> Iterator[None]:
    """What the processes are to find in their environment."""
    before = dict(os.environ)
    os.environ |= {FOLDER: str(folder), LAUNCHER: str(os.getpid()), LAUNCH_OPTIONS: shlex.join(options)}
    # As many threads as the processes of this machine would take in turns; torchrun itself gives each only one.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processor_count() // launch.processes)))
    if launch.gpus is not None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(number) for number in range(torch.cuda.device_count())]
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(names[number] for number in launch.gpus)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _agent_log(folder: Path) -> Iterator[None]:
    """Send the agent's messages to a file instead of the screen."""
    logger = logging.getLogger(_AGENT)
    handler = logging.FileHandler(folder / "agent.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    others = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("torch.")]
    before = [(other, other.handlers, other.propagate, other.level) for other in {logger, *others}]
    for other, *_ in before:
        other.handlers, other.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for other, handlers, propagate, level in before:
            other.handlers, other.propagate = handlers, propagate
            other.setLevel(level)
        handler.close()


def _launch(launch: Launch, port: int, folder: Path, words: Sequence[str]) -> None:
    quiet: dict[int, Std] = dict.fromkeys(range(1, launch.processes), Std.ALL)
    config = LaunchConfig(
        min_nodes=launch.nodes,
        max_nodes=launch.nodes,
        nproc_per_node=launch.processes,
        run_id="otx",
        rdzv_backend="static",
        rdzv_endpoint=f"{launch.host}:{port}",
        rdzv_configs={"rank": launch.node, "timeout": 60},
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(str(folder / "processes"), redirects=quiet),
    )
    elastic_launch(config, sys.executable)("-m", "otx_seg", *words)


def _keep_log(folder: Path) -> None:
    """Add the messages of the agent and of the silent processes to the run's log."""
    _, run = read_notes(folder)
    if run is None or not run.log.exists():
        return
    with run.log.open("a", encoding="utf-8") as log:
        for path in (folder / "agent.log", *sorted((folder / "processes").rglob("std*.log"))):
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
            if text:
                log.write(f"---- {path.relative_to(folder)}\n{text.rstrip()}\n")
