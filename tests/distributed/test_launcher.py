"""`otx train` in several processes: the score of one, two nodes, a killed process, arguments that make no sense."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from brief_training import PARAMETERS
from small_network import small_file

from otx_seg.datasets import open_folder
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.distributed import launcher, rendezvous, worker
from otx_seg.distributed.launcher import Launch, settle_launch
from otx_seg.distributed.rendezvous import meet
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.evaluate import count_pixels, evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint
from otx_seg.workspace.command_line import resume_command

PLAN = {"processes": 1, "world_size": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``train`` (20 images) and ``val`` (5 images, which neither 2 nor 3 divides) of 64 x 64 pixels."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, images=25, size=64, seed=3)
    return folder


def command(data: Path, output: Path, *options: str, epochs: int) -> list[str]:
    parameters = {**PARAMETERS, "learning_parameters.batch_size": 4, "learning_parameters.num_iters": epochs}
    words = ["train", small_file(), "--train-data-roots", data / "train", "--val-data-roots", data / "val"]
    words += ["--output", output, *options, "params", *(f"--{name}={value}" for name, value in parameters.items())]
    return [sys.executable, "-m", "otx_seg", *map(str, words)]


def start(words: list[str], **environment: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **environment}
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(path: Path, text: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 200
    while not (path.exists() and text in path.read_text(errors="replace")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        yield int(other.getsockname()[1])


def score_alone(run: Path, data: Path) -> float:
    return evaluate(load_predictor(run / "models" / "weights.pth"), open_folder(data)["val"]).scores.dice_average


def recorded_best(run: Path) -> float:
    lines = [json.loads(line) for line in (run / "logs" / "metrics.jsonl").read_text().splitlines()]
    return max(line["Dice Average"] for line in lines if "Dice Average" in line)


# ---------------------------------------------------------------------- runs


def test_three_processes_on_this_machine_share_the_validation_images(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    finished = subprocess.run(
        command(data, run, "--world-size", "3", epochs=1), capture_output=True, text=True, check=False, timeout=300
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count("Weights:") == finished.stderr.count("training data: 20 images") == 1
    assert recorded_best(run) == score_alone(run, data)
    state = read_checkpoint(find_checkpoint(run))
    assert state["position"]["step"] == 2  # 20 images, 3 processes, batches of 4
    # Each image counted once, and alike: not only their ratios are those of one process.
    val = open_folder(data)["val"]
    predictor = load_predictor(run / "models" / "weights.pth")
    alone = count_pixels(predictor, val, range(len(val)), batch_size=4, workers=0).confusion
    assert torch.equal(state["best_confusion"], alone)
    assert "static_tcp_rendezvous" in (run / "logs" / "otx.log").read_text()
    assert "rendezvous" not in finished.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
def test_two_nodes_train_together_and_go_on_after_one_was_killed(data: Path, tmp_path: Path, free_port: int) -> None:
    run = tmp_path / "run"
    options = ["--world-size", "2", "--rdzv-endpoint", f"localhost:{free_port}"]
    first = start(command(data, run, *options, epochs=8))
    second = start(command(data, tmp_path / "unused", *options, "--base-rank", "1", epochs=8))
    wait_for(run / "logs" / "metrics.jsonl", "Dice Average", first)
    assert len(children(first)) == len(children(second)) == 1
    os.kill(children(second)[0], signal.SIGKILL)
    outputs = {"first": first.communicate(timeout=100), "second": second.communicate(timeout=100)}
    assert first.returncode == second.returncode == 1, outputs
    messages = {name: " ".join(error[error.index("Error:") :].split()) for name, (_, error) in outputs.items()}
    assert "Traceback" not in str(outputs)
    assert "the process with rank 1 (of 0 to 1) was killed by SIGKILL" in messages["second"]
    assert "another process of this training ended" in messages["first"]
    again = f"Continue with: otx train --resume-from {run} --rdzv-endpoint localhost:{free_port}"
    assert messages["first"].endswith(f"{again} --world-size 2")
    assert messages["second"].endswith(f"{again} --base-rank 1 --world-size 2")
    assert all(error.count("Error:") == 1 for _, error in outputs.values())
    assert not (tmp_path / "unused").exists()

    assert read_checkpoint(find_checkpoint(run))["position"]["step"] > 0
    told = [shlex.split(messages[name].partition("Continue with: otx ")[2]) for name in ("first", "second")]
    going_on = [start([sys.executable, "-m", "otx_seg", *words]) for words in told]
    ended = [process.communicate(timeout=200) for process in going_on]
    assert [process.returncode for process in going_on] == [0, 0], ended
    assert read_checkpoint(find_checkpoint(run))["position"]["ended"] == "8 epochs done"
    assert recorded_best(run) == score_alone(run, data)


def test_what_is_missing_on_one_machine_ends_all(data: Path, tmp_path: Path, free_port: int) -> None:
    """Before they have begun to talk of the training; otherwise the others would wait for hours."""
    run = tmp_path / "run"
    options = ["--world-size", "2", "--rdzv-endpoint", f"localhost:{free_port}"]
    first = start(command(data, run, *options, epochs=1))
    elsewhere = command(tmp_path / "missing", run, *options, "--base-rank", "1", epochs=1)
    second = start(elsewhere)
    errors = [process.communicate(timeout=200)[1] for process in (first, second)]
    assert (first.returncode, second.returncode) == (1, 3), errors
    assert "missing/train: no such folder" in errors[1]
    assert "the training did not begin: process 1: " in " ".join(errors[0].split())
    assert "Traceback" not in str(errors)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_processes_end_with_their_launcher(number: signal.Signals, data: Path, tmp_path: Path) -> None:
    run, temporary = tmp_path / "run", tmp_path / "temporary"
    temporary.mkdir()
    process = start(command(data, run, "--world-size", "2", epochs=500), TMPDIR=str(temporary))
    wait_for(run / "logs" / "metrics.jsonl", "Dice Average", process)
    workers = children(process)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)  # its processes write to the same pipe
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert error.count("Error:") == 1
    found = re.search(r"interrupted by (\S+) after (\d+) steps; everything is saved", error)
    assert found is not None
    assert found[1] == {signal.SIGKILL: "SIGTERM"}.get(number, number.name)
    assert read_checkpoint(find_checkpoint(run))["position"]["step"] == int(found[2])
    assert error.rstrip().endswith(f"Continue with: otx train --resume-from {run} --world-size 2")
    assert not list(temporary.glob("otx-*"))


# ---------------------------------------------------------------------- what the arguments mean


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(launcher, "on_cpu", lambda: True)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "ABC"[number])
    monkeypatch.setattr(launcher, "on_cpu", lambda: False)


def test_processes_on_cpus(no_gpu: None) -> None:
    assert settle_launch(None, "localhost:0", 0, 2) == Launch(None, 2, 2, 0, "localhost", 0)
    two_machines = settle_launch(None, "10.0.0.1:29500", 1, 2)
    assert (two_machines.processes, two_machines.nodes, two_machines.node) == (1, 2, 1)


def test_processes_on_gpus(two_gpus: None) -> None:
    assert settle_launch("0,1", "localhost:0", 0, 0) == Launch((0, 1), 2, 2, 0, "localhost", 0)
    second = settle_launch("1, 0", "[::1]:29500", 2, 4)
    assert (second.gpus, second.host, second.nodes, second.node) == ((1, 0), "::1", 2, 1)


def test_gpus_are_counted_among_the_visible_ones(
    two_gpus: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    with launcher._environment(settle_launch("1", "localhost:0", 0, 0), tmp_path, []):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,7"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("0,9", "localhost:0", 0, 0), r"there is no GPU 9; this machine has 0 \(A\), 1 \(B\)"),
        (("0,x", "localhost:0", 0, 0), r"not a list of GPU numbers, such as 0,1"),
        (("0,0", "localhost:0", 0, 0), r"names a GPU twice"),
        ((None, "localhost:0", 0, 2), r"name the GPUs of this machine too"),
        (("0,1", "localhost:0", 0, 4), r"give --rdzv-endpoint HOST:PORT"),
        (("0,1", "host:29500", 1, 4), r"multiples of the 2 processes here"),
        (("0,1", "host:29500", 0, 3), r"multiples of the 2 processes here"),
        (("0,1", "host:29500", 4, 4), r"have ranks 0 to 3"),
        (("0,1", "host:0", 0, 4), r"works only on localhost"),
        (("0,1", "host", 0, 4), r"is not HOST:PORT"),
        (("0,1", "host:70000", 0, 4), r"is not HOST:PORT"),
    ],
)
def test_arguments_that_are_refused(two_gpus: None, arguments: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settle_launch(*arguments)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((None, "localhost:0", 0, 2), ["--world-size", "2"]),
        (("0,1", "localhost:0", 0, 0), ["--gpus", "0,1"]),
        (
            ("1, 0", "a:29500", 2, 4),
            ["--gpus", "1, 0", "--rdzv-endpoint", "a:29500", "--base-rank", "2", "--world-size", "4"],
        ),
    ],
)
def test_a_run_goes_on_with_the_options_it_was_started_with(arguments: Any, options: list[str], tmp_path: Path) -> None:
    launch = Launch(None, 1, 1, 0, "localhost", 0)
    with launcher._environment(launch, tmp_path, launcher._options(*arguments)):
        words = shlex.split(resume_command("train", Path("my run")))
    assert words == ["otx", "train", "--resume-from", "my run", *options]
    assert resume_command("train", Path("run")) == "otx train --resume-from run"


def test_a_run_that_torchrun_started_goes_on_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert resume_command("train", Path("run")) == "otx train --resume-from run (under torchrun, as before)"


def test_a_launcher_that_ends_puts_signals_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def launch() -> None:
        with launcher._ending_in_order():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        launch()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_process_whose_launcher_is_gone_speaks_for_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(worker.FOLDER, str(tmp_path / "notes"))
    (tmp_path / "notes").mkdir()
    monkeypatch.setenv(worker.LAUNCHER, str(os.getppid()))
    assert worker.leave_note("no room", 1, OtxError("no room"))
    assert worker.read_notes(tmp_path / "notes")[0][0].message == "no room"
    monkeypatch.setenv(worker.LAUNCHER, "1234567890")
    assert not worker.leave_note("no room", 1, OtxError("no room"))
    before, heard = signal.getsignal(signal.SIGTERM), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: heard.set())
    try:
        worker.end_with_launcher()
        assert heard.wait(10)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not (tmp_path / "notes").exists()


def test_gpus_where_there_are_none(no_gpu: None) -> None:
    with pytest.raises(UsageError, match=r"finds no GPU .* --world-size N trains with N processes on the CPU"):
        settle_launch("0,1", "localhost:0", 0, 0)


def test_a_process_of_a_torchrun_job_starts_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match=r"torchrun job already"):
        settle_launch(None, "localhost:0", 0, 2)


# ---------------------------------------------------------------------- how nodes meet


def test_a_port_in_use(taken_port: int) -> None:
    with pytest.raises(UsageError, match=rf"port {taken_port} is in use .* choose another one"):
        meet("localhost", taken_port, 2, 0, PLAN, timeout_s=1)


def test_nodes_that_never_come() -> None:
    with pytest.raises(OtxError, match=r"only 1 of 2 nodes joined within 0\.5 s"):
        meet("localhost", 0, 2, 0, PLAN, timeout_s=0.5)


def test_a_first_node_that_is_not_there(free_port: int) -> None:
    with pytest.raises(OtxError, match=r"the first node was not there within 0\.5 s"):
        meet("localhost", free_port, 2, 1, PLAN, timeout_s=0.5)


def test_nodes_that_were_told_different_things(free_port: int) -> None:
    host = meet("localhost", free_port, 1, 0, PLAN, timeout_s=1)
    with pytest.raises(UsageError, match=r"2 of 2 processes per node, the first one with 1 of 2"):
        meet("localhost", host.port, 2, 1, {"processes": 2, "world_size": 2}, timeout_s=5)
    meet("localhost", host.port, 2, 1, PLAN, timeout_s=5)
    with pytest.raises(UsageError, match=r"--base-rank: node 2 of 2 has already joined"):
        meet("localhost", host.port, 2, 1, PLAN, timeout_s=5)


def test_the_documented_time_is_the_one_waited() -> None:
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    assert f"{rendezvous.JOIN_TIMEOUT_S / 60:g} minutes" in page
