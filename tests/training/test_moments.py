"""Moments in which a training may be lost: before its first checkpoint, or when its folder goes away."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS, At, same_weights, train_briefly, weights_of
from small_network import small_file

from otx_seg.errors import OtxError, UsageError, exit_code_of
from otx_seg.training import state, trainer
from otx_seg.training.setup import folder
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.verbs.train import train
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.run_folder import RunFolder


class KilledError(BaseException):
    """Nothing catches it, as nothing catches a SIGKILL."""


@pytest.fixture(scope="module")
def finished(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    train_briefly(drawn_data, run)
    return run


def killed(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, start: Callable[[], object]) -> None:
    """Let a training end where it calls this function."""

    def end(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(module, name, end)
        with pytest.raises(KilledError):
            start()


MOMENTS = [(folder, "write_text"), (state, "write_tensors")]
"""While the plan is written, and right after it."""


@pytest.mark.parametrize(("module", "name"), MOMENTS)
def test_before_the_first_checkpoint_the_same_command_begins_again(
    module: Any, name: str, drawn_data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    killed(monkeypatch, module, name, lambda: train_briefly(drawn_data, run))
    assert (run / "template.yaml").exists() == (module is state)
    if module is not state:
        with pytest.raises(UsageError, match="ended before its first step: run its original command again"):
            train(resume_from=run)
    train_briefly(drawn_data, run)
    assert same_weights(run, finished)


def test_once_all_is_written_down_it_can_be_resumed_too(
    drawn_data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, weights = tmp_path / "run", finished / "models" / "weights.pth"
    killed(monkeypatch, state, "write_tensors", lambda: train_briefly(drawn_data, run))
    decided = (run / "auto_configuration.json").read_text()
    train(resume_from=run)
    assert same_weights(run, finished)
    assert (run / "auto_configuration.json").read_text() == decided
    # From the weights that it was given.
    train_briefly(drawn_data, tmp_path / "whole", load_weights=weights, template=None)
    run = tmp_path / "on"
    killed(
        monkeypatch, state, "write_tensors", lambda: train_briefly(drawn_data, run, load_weights=weights, template=None)
    )
    train(resume_from=run)
    assert same_weights(run, tmp_path / "whole")
    assert not same_weights(run, finished)


def test_what_is_no_training_that_never_began_is_not_replaced(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"already holds a result .*; resume it with: otx train --resume-from"):
        train_briefly(drawn_data, finished)
    (tmp_path / "template.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"already holds a result \(template.yaml\)"):
        train_briefly(drawn_data, tmp_path)
    assert (tmp_path / "template.yaml").read_text() == "mine"
    # A search that was killed before its first trial ended is none of them either.
    write_json(RunFolder(tmp_path).search / "search.json", {})
    with pytest.raises(UsageError, match=r"already holds a result .*; resume it with: otx train --resume-from"):
        train_briefly(drawn_data, tmp_path)


@pytest.mark.parametrize("awaited", ["data.json", "logs/checkpoint/state.pth"])
def test_a_killed_process_goes_on(awaited: str, drawn_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    roots = ["--train-data-roots", str(drawn_data / "train"), "--val-data-roots", str(drawn_data / "val")]
    parameters = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items())]
    command = [sys.executable, "-m", "otx_seg", "train", str(small_file()), *roots, "--output", str(run), *parameters]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (run / awaited).exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    left = run / "models" / ".weights.pth.abcd1234.unfinished"
    left.touch()
    began = (run / "logs" / "checkpoint" / "state.pth").exists()
    train(resume_from=run) if began else train_briefly(drawn_data, run)
    assert (run / "cli_report.log").exists()
    assert not [path.name for path in run.rglob(".*")]


def lose(run: Path, how: str) -> None:
    if how == "renamed":
        run.rename(run.with_name("elsewhere"))
    else:
        shutil.rmtree(run)
    if how == "emptied":
        run.mkdir()


@pytest.mark.parametrize("how", ["deleted", "emptied", "renamed"])
def test_a_training_whose_folder_is_gone_says_so_and_saves_what_it_has(
    how: str, drawn_data: Path, tmp_path: Path
) -> None:
    run, saved = tmp_path / "run", tmp_path / "run_rescued"
    gone = r"run: was deleted, .* what was learned in \d steps is saved in \S+run_rescued. Continue with: otx train"
    with pytest.raises(OtxError, match=gone) as error:
        train_briefly(drawn_data, run, loggers=[At(4, lambda: lose(run, how))])
    assert error.value.exit_code == 1
    assert run.exists() == (how == "emptied")
    assert weights_of(saved)
    result = train(resume_from=saved)
    assert (result.epochs, result.steps) == (3, 9)
    assert result.weights.is_file()


def test_without_a_place_to_save_it_says_that(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, write = tmp_path / "run", trainer.write_state

    def full(folder: RunFolder, state: dict[str, Any]) -> None:
        if folder.path != run:
            raise OSError(28, "No space left on device")
        write(folder, state)

    monkeypatch.setattr(trainer, "write_state", full)
    with pytest.raises(OtxError, match=r"could not be saved beside it either \(No space left"):
        train_briefly(drawn_data, run, loggers=[At(4, lambda: lose(run, "deleted"))])


def test_a_training_whose_loader_was_killed_says_so_and_goes_on_and_ends_when_asked_to(
    drawn_data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def kill_loader() -> None:
        for child in multiprocessing.active_children():
            child.kill()

    killed_after = (
        r"was killed \(Killed; often for lack of memory\).* After \d steps?; .* Continue with: otx train --res"
    )
    with pytest.raises(OtxError, match=killed_after):
        train_briefly(drawn_data, run, loggers=[At(1, kill_loader)], parameters={"learning_parameters.num_workers": 2})

    def end(*_: object) -> None:
        raise KeyboardInterrupt(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("otx_seg.verbs.train.finish", end)
        with pytest.raises(
            InterruptedRunError, match=r"by SIGTERM; what was saved.* Continue with: otx train"
        ) as error:
            train(resume_from=run, loggers=[At(9, RunFolder(run).weights.unlink)])
    assert exit_code_of(error.value) == 128 + signal.SIGTERM
    train(resume_from=run)
    assert same_weights(run, finished)
