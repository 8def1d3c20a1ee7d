"""The log of a run: what is in it, and when it goes."""

from __future__ import annotations

import errno
import logging
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.workspace.lock import LOCK
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, RunFolder, open_run

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
    run = open_run(Destination(tmp_path / "run"), "eval")
    ended(run, error)
    text = run.log.read_text()
    assert "working" in text
    assert ("Traceback" in text) == (error is not None)
    assert str(error or "") in text


def test_results_are_noted_in_the_file_alone(tmp_path: Path, messages: Any) -> None:
    run = open_run(Destination(tmp_path / "run"), "eval")
    with log_to(run) as note:
        logger.info("working")
        note("Dice 0.5")
    assert "INFO otx_seg: Dice 0.5\n" in run.log.read_text()
    assert messages.text == "working\n"


@pytest.mark.parametrize("error", [UsageError("no such label"), DataError("no images")])
def test_a_refusal_leaves_nothing(tmp_path: Path, error: Exception) -> None:
    ended(open_run(Destination(tmp_path / "a" / "run"), "eval"), error)
    assert not list(tmp_path.iterdir())
    (tmp_path / "b").mkdir()
    ended(open_run(Destination(tmp_path / "b"), "eval"), error)
    assert [path.name for path in tmp_path.rglob("*")] == ["b"]


def test_what_is_no_part_of_the_refused_work_stays(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine.txt").touch()
    (tmp_path / "mine.txt").touch()
    ended(open_run(Destination(tmp_path), "eval"), UsageError("no"))
    assert {"logs/mine.txt", "mine.txt"} <= set(names(tmp_path))


def test_a_refusal_after_results_keeps_the_log(tmp_path: Path) -> None:
    run = open_run(Destination(tmp_path / "run"), "train")
    ended(run, DataError("an image is gone"), "template.yaml")
    assert names(run.path) == ["logs/otx.log", "template.yaml"]
    assert "an image is gone" in run.log.read_text()
    again = open_run(Destination(tmp_path / "run"), "eval")
    ended(again, UsageError("no"))
    assert "an image is gone" in run.log.read_text()  # the log of earlier work is not this one's to remove


AT_WORK = """
import sys
from pathlib import Path
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import RunFolder
with log_to(RunFolder(Path(sys.argv[1]))):
    print("at work", flush=True)
    sys.stdin.read()
"""


def test_two_processes_do_not_work_on_one_run(tmp_path: Path) -> None:
    run = open_run(Destination(tmp_path / "run"), "train")
    command = [sys.executable, "-c", AT_WORK, str(run.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as working:
        assert working.stdout is not None
        assert working.stdout.readline() == "at work\n"
        theirs = run.path / "models" / ".weights.pth.abcd1234.unfinished"
        theirs.parent.mkdir()
        theirs.touch()
        who = rf"run: another otx command is working there \(process {working.pid} on \S+\); wait"
        with pytest.raises(UsageError, match=who), log_to(run):
            pass
        with log_to(open_run(Destination(tmp_path), "eval")):  # in the folder around it, but not for its files
            pass
        assert theirs.exists()
        working.kill()
    assert (run.path / LOCK).exists()  # it had no time to remove it, and nobody is locked out by that
    with log_to(run):
        assert not theirs.exists()
    assert not (run.path / LOCK).exists()


def test_one_process_does_not_work_twice_on_a_run(tmp_path: Path) -> None:
    run = open_run(Destination(tmp_path / "run"), "train")
    with log_to(run), pytest.raises(UsageError, match="another otx command is working there"), log_to(run):
        pass
    assert names(run.path) == ["logs/otx.log"]


def test_what_was_never_finished_goes_and_what_is_the_users_stays(tmp_path: Path) -> None:
    gone = [
        "models/.weights.pth.abcd1234.unfinished",
        "logs/checkpoint/.state.pth.abcd123_.unfinished",
        "logs/checkpoint/.state.pth.abcd123_",
        "models/.weights.pth.k5_2m0ab",
        "sub/.a.png.abcd1234.unfinished",
        ".unfinished-abcd1234/openvino.xml",
        "ptq/.unfinished-abcd1234/openvino.bin",
        ".otx.lock",
        "train/.otx.lock",
    ]
    stays = [
        "models/weights.pth",
        "models/.weights.pth.mine",
        "models/.mine.pth.abcd1234",
        "unfinished/a.png",
        "a.unfinished",
        ".unfinished",
        ".unfinished-thesis/chapter.txt",
        ".git/.a.png.abcd1234.unfinished",
    ]
    for name in (*gone, *stays):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    with log_to(open_run(Destination(tmp_path), "eval")):
        pass
    assert names(tmp_path) == sorted([*stays, "logs/otx.log"])
    assert not (tmp_path / ".unfinished-abcd1234").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks available"), NotImplementedError("no flock")])
def test_without_locks_it_works_with_a_warning(
    error: Exception, tmp_path: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with log_to(open_run(Destination(tmp_path / "run"), "eval")):
        pass
    assert "run: the file system gives no locks" in messages.text


@pytest.mark.parametrize("how", ["deleted", "emptied", "renamed", "replaced"])
def test_a_folder_that_is_gone_at_the_end_is_no_success(how: str, tmp_path: Path) -> None:
    run = open_run(Destination(tmp_path / "run"), "eval")

    def lose() -> None:
        with log_to(run):
            if how in ("renamed", "replaced"):
                run.path.rename(tmp_path / "other")
            else:
                shutil.rmtree(run.path)
            if how == "deleted":
                (run.path / "result").touch()  # fails
            if how in ("emptied", "replaced"):
                run.path.mkdir()
                (run.path / LOCK).write_text("another command's")

    with pytest.raises(OtxError, match=r"run: was deleted, emptied, renamed or replaced.* Continue with: the same"):
        lose()
    assert not run.path.exists() or (run.path / LOCK).read_text() == "another command's"
