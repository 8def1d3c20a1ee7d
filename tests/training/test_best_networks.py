"""`learning_parameters.average_best`: the mean of the best networks of a training, kept if it scores higher."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from brief_training import CrashAt, same_weights, script_validations, train_briefly, weights_of
from torch import nn

from otx_seg.errors import OtxError, UsageError
from otx_seg.metrics.confusion import PixelCounts
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training import validation
from otx_seg.training.best_networks import BestNetworks, Scored
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint
from otx_seg.training.loggers import Logger, ValidationReport
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.tensor_file import read_tensors

AVERAGE = "learning_parameters.average_best"


class Seen(Logger):
    """Keeps the files of the best networks, as they are at each validation."""

    def __init__(self, run: Path, copies: Path) -> None:
        self.run, self.copies = RunFolder(run), copies
        self.files: list[list[str]] = []

    def on_validation(self, report: ValidationReport) -> None:
        self.files.append([file.name for file in self.run.best_networks()])
        for file in self.run.best_networks():
            self.copies.mkdir(exist_ok=True)
            shutil.copy(file, self.copies)


def _literal_mean(files: list[Path]) -> dict[str, torch.Tensor]:
    """Of floating point tensors; of others the first file's."""
    read = [read_tensors(file) for file in files]
    return {
        name: torch.stack([one[name].double() for one in read]).mean(dim=0).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in read[0].items()
    }


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_the_mean_of_the_files_is_kept_if_it_scores_higher(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any, ema: float
) -> None:
    script_validations(monkeypatch, 900, 600, 890, 700, 910)
    run, copies = tmp_path / "run", tmp_path / "copies"
    changes = {AVERAGE: 2, "learning_parameters.ema_keep": ema, "learning_parameters.num_iters": 4}
    seen = Seen(run, copies)
    result = train_briefly(drawn_data, run, parameters=changes, loggers=[seen])
    assert result.averaged == (1, 3)
    assert result.choice == "its Dice is 0.0100 higher than that of epoch 1 alone"
    assert result.scores is not None
    assert result.scores.dice_average == pytest.approx(0.91)
    assert "kept: the mean of the networks of epochs 1, 3 of 4; its Dice is" in (run / "cli_report.log").read_text()
    # At a validation, and when the mean is kept, files that the checkpoint before needs are there; at the end none is.
    assert seen.files == [["best_3.pth"], ["best_3.pth", "best_6.pth"], ["best_3.pth", "best_6.pth", "best_9.pth"],
                          ["best_3.pth", "best_9.pth"], ["best_3.pth", "best_9.pth"]]  # fmt: skip
    written = [json.loads(line) for line in (run / "logs" / "metrics.jsonl").read_text().splitlines()]
    assert [line["score"] for line in written if "score" in line][-2:] == pytest.approx([0.7, 0.91])
    assert RunFolder(run).best_networks() == []
    expected = _literal_mean([copies / "best_3.pth", copies / "best_9.pth"])
    found = weights_of(run)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-7, msg=name)
    assert any(not torch.equal(found[name], read_tensors(copies / "best_3.pth")[name]) for name in found)
    again = train_briefly(drawn_data, run, resume_from=run)
    assert (again.averaged, again.choice, again.scores) == (result.averaged, result.choice, result.scores)
    assert "is already finished" in messages.text


def test_a_mean_that_is_not_better_is_not_kept(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    script_validations(monkeypatch, 900, 600, 890, 900)
    run, copies = tmp_path / "run", tmp_path / "copies"
    changes = {AVERAGE: 2, "learning_parameters.ema_keep": 0.0}
    result = train_briefly(drawn_data, run, parameters=changes, loggers=[Seen(run, copies)])
    assert (result.epoch, result.averaged, result.choice) == (1, (), "")
    assert "mean of the networks of epochs 1, 3: Dice 0.9000, before 0.9000" in messages.text
    best = read_tensors(copies / "best_3.pth")
    assert all(torch.equal(best[name], tensor) for name, tensor in weights_of(run).items())
    assert RunFolder(run).best_networks() == []


def _crash_at_validation(step: int) -> Logger:
    class Crash(Logger):
        def on_validation(self, report: ValidationReport) -> None:
            if report.step == step:
                raise CrashAt.CrashError

    return Crash()


@pytest.mark.parametrize(
    "crash", [lambda: CrashAt(5), lambda: _crash_at_validation(6), lambda: _crash_at_validation(9)]
)
def test_a_resumed_run_averages_the_same(drawn_data: Path, tmp_path: Path, crash: Callable[[], Logger]) -> None:
    parameters = {AVERAGE: 3, "learning_parameters.num_iters": 3}
    kept, read = [], BestNetworks.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BestNetworks, "read", lambda self, like: kept.append(list(read(self, like))) or iter(kept[-1]))
        train_briefly(drawn_data, tmp_path / "whole", parameters=parameters)
        with pytest.raises(CrashAt.CrashError):
            train_briefly(drawn_data, tmp_path / "run", parameters=parameters, loggers=[crash()])
        # In another folder: its files come along.
        result = train_briefly(drawn_data, tmp_path / "moved", resume_from=tmp_path / "run")
    assert result.epochs == 3
    whole, moved = kept
    assert [one for one, _ in moved] == [one for one, _ in whole]
    assert len(whole) == 3
    for (_, first), (_, second) in zip(whole, moved, strict=True):
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert same_weights(tmp_path / "moved", tmp_path / "whole")
    assert RunFolder(tmp_path / "moved").best_networks() == []


def test_what_is_broken_off_at_the_end_is_done_again(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    def break_off(*how: Any) -> PixelCounts:
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("a loading process was killed by SIGTERM")

    run, changes = tmp_path / "run", {AVERAGE: 3, "learning_parameters.ema_keep": 0.0}
    with monkeypatch.context() as patch:
        script_validations(patch, 700, 800, 900)
        scripted = validation.count_on_all_processes
        calls = iter([scripted, scripted, scripted, break_off])
        patch.setattr(validation, "count_on_all_processes", lambda *how: next(calls)(*how))
        with pytest.raises(OtxError, match=r"interrupted by SIGTERM after 9 steps; everything is saved"):
            train_briefly(drawn_data, run, parameters=changes)
    assert len(RunFolder(run).best_networks()) == 3
    (RunFolder(run).best_network(3)).unlink()
    (RunFolder(run).best_network(6)).write_bytes(b"half")
    with monkeypatch.context() as patch:
        script_validations(patch, 950)
        result = train_briefly(drawn_data, run, resume_from=run)
    assert (result.averaged, result.reason) == ((), "3 epochs done")  # one is left
    assert "made without that of epoch 1: " in messages.text
    assert "made without that of epoch 2: " in messages.text
    assert "is already finished" not in messages.text
    assert RunFolder(run).best_networks() == []
    assert read_checkpoint(find_checkpoint(run))["finished"] is True


def test_a_weights_file_that_is_lost_before_the_mean_is_tried(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lose(Logger):
        def on_validation(self, report: ValidationReport) -> None:
            if report.step == 9:
                (tmp_path / "run" / "models" / "weights.pth").unlink()

    script_validations(monkeypatch, 700, 800, 900, 100)
    train_briefly(drawn_data, tmp_path / "run", parameters={AVERAGE: 2}, loggers=[Lose()])
    assert (tmp_path / "run" / "models" / "weights.pth").exists()


def test_the_best_ones_are_kept_and_the_later_of_equal_ones(tmp_path: Path) -> None:
    run, network = RunFolder(tmp_path), nn.Linear(1, 1)
    best = BestNetworks(run, 2, writes=True)
    for step, score in enumerate((0.5, 0.3, 0.5, 0.6, 0.1), 1):
        best.note(Scored(score, step, step), network)
    assert [one.step for one in best.kept] == [4, 3]
    best.note(Scored(0.6, 4, 4), network)
    assert [one.step for one in best.kept] == [4, 3]
    assert [file.name for file in run.best_networks()] == [f"best_{step}.pth" for step in (1, 2, 3, 4)]
    best.delete_others()
    assert [file.name for file in run.best_networks()] == ["best_3.pth", "best_4.pth"]
    again = BestNetworks(run, 2, writes=True)
    again.load_state_dict(best.state_dict())
    assert again.kept == best.kept
    assert [one for one, _ in again.read(network)] == best.kept
    silent = BestNetworks(RunFolder(tmp_path / "other"), 2, writes=False)
    silent.note(Scored(0.5, 1, 1), network)
    assert silent.run.best_networks() == []


@pytest.mark.parametrize(
    "kept", [[[0.1, 1, 1]] * 3, "x", [[2.0, 1, 1]], [[0.5, -1, 1]], [[0.5, 1]], [[0.5, 1, "1"]], [None]]
)
def test_a_damaged_record_is_refused(tmp_path: Path, kept: Any) -> None:
    with pytest.raises(ValueError, match=r"best_networks\."):
        BestNetworks(RunFolder(tmp_path), 2, writes=True).load_state_dict({"kept": kept})


def test_one_network_has_no_mean(drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"average_best.*1 alone has no mean"):
        train_briefly(drawn_data, tmp_path / "run", parameters={AVERAGE: 1})
    assert LearningParameters(average_best=2).average_best == 2
