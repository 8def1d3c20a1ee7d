"""What the system refuses is told in words, whatever verb it happens in."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from otx_seg.cli.system_errors import in_words, is_out_of_memory


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, 1, "Free space"),
        (errno.EACCES, 1, "change its permissions"),
        (errno.EROFS, 1, "choose another path"),
        (errno.EMFILE, 1, "ulimit -n 4096"),
        (errno.ENAMETOOLONG, 2, "255 bytes for a name"),
        (errno.ENOTDIR, 1, "is not a folder"),
        (errno.EISDIR, 1, "is a folder"),
        (errno.ELOOP, 1, "is a link to itself"),
        (errno.ENOENT, 1, "was removed while otx was running"),
    ],
)
def test_every_refusal_has_words_and_a_code(number: int, code: int, words: str) -> None:
    said = in_words(OSError(number, os.strerror(number), "some/file"))
    assert said is not None
    assert said[1] == code
    assert "some/file" in said[0]
    assert words in said[0]


def test_what_nobody_foresaw_stays_so() -> None:
    assert in_words(OSError(errno.EBADF, "Bad file descriptor")) is None
    assert in_words(FileNotFoundError(errno.ENOENT, "No such file or directory")) is None  # of what, nobody knows


def test_a_path_of_thousands_of_characters_is_not_shown_whole() -> None:
    said = in_words(OSError(errno.ENAMETOOLONG, "File name too long", "a" * 5000))
    assert said is not None
    assert len(said[0]) < 400


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_libraries_say_in_many_words_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


@pytest.mark.parametrize("name", ["n" * 300, "/".join(["n" * 200] * 25)])
def test_names_that_are_too_long(otx: Any, drawn_data: Path, tmp_path: Path, name: str) -> None:
    for verb, option in (("convert", "--data-roots"), ("train", "--train-data-roots"), ("check", "--data-roots")):
        there = tmp_path / name
        result = otx(verb, option, there) if verb == "check" else otx(verb, option, drawn_data, "--output", there)
        assert result.code in (2, 3)
        assert "255 bytes for a name" in result.err
        assert len(result.err) < 500


def test_a_current_folder_that_was_removed(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    code = "import os, sys; os.rmdir(os.getcwd()); from otx_seg.cli.main import main; main(['check'])"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "gone", capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.strip() == "Error: the current folder was removed; cd to another one"


def test_sigterm_says_what_is_kept_and_leaves_nothing_half_done(tiny_weights: Path, tmp_path: Path) -> None:
    images, output = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number in range(300):
        Image.new("RGB", (300, 200)).save(images / f"{number}.png")
    command = ["predict", "--input", str(images), "--load-weights", str(tiny_weights), "--output", str(output)]
    with subprocess.Popen([sys.executable, "-m", "otx_seg", *command], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(output.glob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "interrupted by SIGTERM; the results of" in said
    assert "Traceback" not in said
    assert not list(output.rglob(".*"))
