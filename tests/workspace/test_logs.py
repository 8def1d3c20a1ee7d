"""The log of a run: what is in it, and when it goes."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import RunFolder, open_run

logger = logging.getLogger("otx_seg.somewhere")


def ended(run: RunFolder, error: Exception | None, *files: str) -> None:
    """Work that writes these files and ends with an error."""
    with nullcontext() if error is None else pytest.raises(type(error)), log_to(run):
        logger.info("working")
        for file in files:
            (run.path / file).write_text("result")
        if error is not None:
            raise error


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("error", [None, OtxError("the disk is full"), ValueError("unforeseen")])
def test_messages_and_tracebacks_are_kept(tmp_path: Path, error: Exception | None) -> None:
    run = open_run(tmp_path / "run", "eval", (), overwrite=False)
    ended(run, error)
    text = run.log.read_text()
    assert "working" in text
    assert ("Traceback" in text) == (error is not None)
    assert str(error or "") in text


def test_results_are_noted_in_the_file_alone(tmp_path: Path, messages: Any) -> None:
    run = open_run(tmp_path / "run", "eval", (), overwrite=False)
    with log_to(run) as note:
        logger.info("working")
        note("Dice 0.5")
    assert "INFO otx_seg: Dice 0.5\n" in run.log.read_text()
    assert messages.text == "working\n"


@pytest.mark.parametrize("error", [UsageError("no such label"), DataError("no images")])
def test_a_refusal_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    ended(open_run(tmp_path / "a" / "run", "eval", (), overwrite=False), error)
    assert not list(tmp_path.iterdir())
    (tmp_path / "b").mkdir()
    ended(open_run(tmp_path / "b", "eval", (), overwrite=False), error)
    assert [path.name for path in tmp_path.rglob("*")] == ["b"]


def test_what_is_no_part_of_the_refused_work_stays(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine.txt").touch()
    (tmp_path / "mine.txt").touch()
    ended(open_run(tmp_path, "eval", (), overwrite=False), UsageError("no"))
    assert {"logs/mine.txt", "mine.txt"} <= set(names(tmp_path))


def test_a_refusal_after_results_keeps_the_log(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run", "train", (), overwrite=False)
    ended(run, DataError("an image is gone"), "template.yaml")
    assert names(run.path) == ["logs/otx.log", "template.yaml"]
    assert "an image is gone" in run.log.read_text()
    again = open_run(tmp_path / "run", "eval", (), overwrite=False)
    ended(again, UsageError("no"))
    assert "an image is gone" in run.log.read_text()  # the log of earlier work is not this one's to remove


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run", "train", (), overwrite=False)
    other = (
        "import sys\n"
        "from pathlib import Path\n"
        "from otx_seg.workspace.logs import log_to\n"
        "from otx_seg.workspace.run_folder import RunFolder\n"
        "with log_to(RunFolder(Path(sys.argv[1])), alone=True):\n"
        "    print('at work', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", other, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as working:
        assert working.stdout is not None
        assert working.stdout.readline() == "at work\n"
        with pytest.raises(UsageError, match=r"run: another otx command is at work there"), log_to(run, alone=True):
            pass
        with log_to(run):  # who does not ask to be alone may
            pass
        working.kill()
    with log_to(run, alone=True):
        pass
