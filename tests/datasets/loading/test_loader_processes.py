"""Processes that load images where the system has room for few of them, or ends one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from otx_seg.datasets.loading.loader_processes import exit_codes, in_words

CODE = """
import resource, sys
from pathlib import Path
from otx_seg.datasets import open_folder
from otx_seg.datasets.loading import loader as loading
subset = open_folder(Path(sys.argv[1]))["default"]
soft, hard = int(sys.argv[2]), int(sys.argv[3])
if len(sys.argv) > 4:
    loading.affordable = lambda workers, tensors: workers
loader = loading.evaluation_loader(subset, (16, 20), 20, 2)
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    for _ in range(3):
        for batch in loading.evaluation_loader(subset, (16, 20), 20, 2):
            pass
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], loading.affordable(2, 20), loading.affordable(0, 20))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    (root / "labels.txt").write_text("background\nspot\n")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
        for number in range(60):
            cv2.imwrite(str(root / folder / f"{number}.png"), np.full((8, 8), number % 2, np.uint8))
    return root


def loaded(images: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, str(images), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_where_few_files_may_be_open_fewer_processes_load(images: Path) -> None:
    done = loaded(images, 40, 40)
    assert done.stdout == "40 0 0\n"
    assert done.stderr.count("\n") == 1  # though a loader was opened three times
    assert "no more than 40 files may be open at once: images are loaded by this process alone" in done.stderr
    assert "ulimit -n 4096" in done.stderr


def test_a_limit_that_may_be_raised_is_raised(images: Path) -> None:
    done = loaded(images, 40, 4096)
    assert (done.stdout, done.stderr) == ("4096 2 0\n", "")


def test_processes_that_run_out_of_files_end_with_one_message(images: Path) -> None:
    done = loaded(images, 40, 40, "unasked")
    assert done.stdout.startswith(
        "LoadingError too many files are open at once for 2 processes that load images; allow"
    )
    assert "ulimit -n 4096" in done.stdout
    assert "num_workers=0" in done.stdout
    assert len(done.stderr) < 3000


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", "was killed (Killed; often for lack of memory)"),
        ("DataLoader worker (pid 7) is killed by signal: Terminated. ", "was killed (Terminated;"),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that", "enlarge /dev/shm"),
        ("DataLoader worker (pid 7) exited unexpectedly with exit code 77. Details are lost", "ulimit -n 4096"),
        ("DataLoader worker (pid 7) exited unexpectedly with exit code 78. Details are lost", "the 2 processes that"),
        ("unable to write to file </torch_1>: shared memory", "enlarge /dev/shm"),
        ("", "(RuntimeError)"),
    ],
)
def test_every_end_has_its_words(said: str, words: str) -> None:
    assert words in str(in_words(RuntimeError(said), 2))


def close_files_and_be_killed() -> None:
    os.closerange(3, 256)  # with the pipe whose end the other side waits for, as the system does when a process ends
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="there, a process is waited for by its handle")
def test_the_exit_code_of_a_process_that_has_closed_its_files_but_not_ended() -> None:
    process = multiprocessing.get_context("fork").Process(target=close_files_and_be_killed)
    process.start()
    assert exit_codes([process]) == [-signal.SIGKILL]
