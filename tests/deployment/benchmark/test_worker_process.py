"""The process of a model: what it answers, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from otx_seg.deployment.benchmark.variant import Variant
from otx_seg.deployment.benchmark.worker_process import WorkerProcess
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.runtime.processors import usable_processors

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[IO[bytes]]:
    with (tmp_path / "worker.log").open("ab") as file:
        yield file


def test_a_model_from_loading_to_throughput(color_variant: Variant, log: IO[bytes]) -> None:
    with WorkerProcess(color_variant, 1, log) as worker:
        loaded = worker.load()
        assert loaded["input_size"] == (16, 16)
        assert loaded["labels"]["names"] == ["background", "grass", "sea"]
        assert loaded["load_s"] > 0
        times = worker.ask("latency", warm_up_s=0.0, seconds=0.0)
        assert len(times) == 1
        assert times[0] > 0
        worker.ask("load_throughput")
        assert worker.ask("throughput", warm_up_s=0.0, seconds=0.0) > 0


@LINUX
def test_memory_is_that_of_the_worker_alone(color_variant: Variant, log: IO[bytes]) -> None:
    held = np.ones(100_000_000)  # 800 MB, which the system counts for children of this process
    with WorkerProcess(color_variant, 1, log) as worker:
        worker.load()
        assert 20e6 < worker.ask("peak_memory") < held.nbytes


@LINUX
def test_threads_are_the_processors_it_may_use(color_variant: Variant, log: IO[bytes]) -> None:
    with WorkerProcess(color_variant, 1, log) as worker:
        worker.load()
        usable = usable_processors()
        assert usable
        assert os.sched_getaffinity(worker.process.pid) == {usable[0]}


def test_what_is_wrong_with_model_or_data_is_told_as_it_is(
    color_variant: Variant, log: IO[bytes], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<net")
    broken.with_suffix(".bin").touch()
    with (
        WorkerProcess(Variant(broken, "openvino", "FP32", "FP32"), 1, log) as worker,
        pytest.raises(UsageError, match=r"broken\.xml: is not an OpenVINO model"),
    ):
        worker.load()
    with WorkerProcess(color_variant, 1, log) as worker:
        worker.load()
        with pytest.raises(DataError, match="nowhere"):
            worker.ask("scores", test_root=str(tmp_path / "nowhere"))
        with pytest.raises(DataError, match="this Pascal VOC data set has no masks"):
            worker.ask("scores", test_root=str(tmp_path), data_format="voc")


def test_a_failure_no_one_foresaw_names_the_model_and_the_log(color_variant: Variant, log: IO[bytes]) -> None:
    with WorkerProcess(color_variant, 1, log) as worker:
        with pytest.raises(
            OtxError, match=r"openvino\.xml \(OpenVINO FP32\): AttributeError: .*details: .*worker\.log"
        ):
            worker.ask("latency", warm_up_s=0.0, seconds=0.0)  # nothing is loaded
        worker.load()  # it lives on
    assert "Traceback" in Path(log.name).read_text()


def test_a_worker_that_is_killed(color_variant: Variant, log: IO[bytes]) -> None:
    with WorkerProcess(color_variant, 1, log) as worker:
        worker.load()
        worker.process.kill()
        worker.process.wait()
        with pytest.raises(OtxError, match=r"OpenVINO FP32\): .*ended by SIGKILL, most likely for lack of memory"):
            worker.ask("latency", warm_up_s=0.0, seconds=0.0)


def test_a_worker_ends_with_its_context(color_variant: Variant, log: IO[bytes]) -> None:
    with WorkerProcess(color_variant, 1, log) as worker:
        pass
    assert worker.process.returncode is not None


@LINUX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(how: signal.Signals, color_ir: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "otx_seg", "benchmark", "--load-weights", str(color_ir), "--seconds", "3000"]
    command += ["--output", str(tmp_path / "run")]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_ctrl_c
    ) as started:
        try:
            wait_until(lambda: busy(children(started.pid)))
            workers = children(started.pid)
            # Ctrl-C reaches all processes of a terminal, a kill only the one.
            (os.killpg if how == signal.SIGINT else os.kill)(started.pid, how)
            assert started.wait(timeout=60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
            wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers))
        finally:
            started.kill()
        assert started.stderr is not None
        assert ("interrupted" in started.stderr.read()) == (how == signal.SIGINT)


def hear_ctrl_c() -> None:
    """Programs started in the background by a shell without a terminal ignore it, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def busy(workers: list[int]) -> bool:
    """Whether some worker has loaded OpenVINO."""
    return any("openvino_intel_cpu" in Path(f"/proc/{pid}/maps").read_text() for pid in workers)


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("waited for a minute")
