"""Atomic writing: the old file or the new one, never half."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otx_seg.workspace.atomic import write_atomic, write_json, write_text


def test_the_new_content_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "file"
    write_text(path, "old")
    write_text(path, "grüße")
    assert path.read_text(encoding="utf-8") == "grüße"
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_a_result_is_readable_by_whoever_may_read_new_files(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_json(tmp_path / "file", {"a": 1})
    finally:
        os.umask(mask)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    # A limit on the size of files fails a write half way, as a full disk does.
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from otx_seg.workspace.atomic import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "write_atomic(Path(sys.argv[1]), bytes(1_000_000))\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "OSError" in result.stderr
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_an_interruption_as_the_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, mode: str) -> None:
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", b"new")
    assert not list(tmp_path.iterdir())


def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old" * 1000)
    code = (
        "import sys\nfrom pathlib import Path\nfrom otx_seg.workspace.atomic import write_atomic\n"
        "print('ready', flush=True)\n"
        "while True: write_atomic(Path(sys.argv[1]), b'new' * 1_000_000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert path.read_bytes() in (b"old" * 1000, b"new" * 1_000_000)


@pytest.fixture(autouse=True)
def _limits_stay() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
