"""The loop: repeatable, resumable bit for bit, and honest about bad luck."""

from __future__ import annotations

import itertools
import json
import logging
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from accelerate import Accelerator
from brief_training import PARAMETERS, CrashAt, same_weights, train_briefly
from PIL import Image
from small_network import small_file, small_template

from otx_seg.algorithms import TrainProgress
from otx_seg.algorithms.supervised import Supervised
from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.metrics.confusion import PixelCounts, counts_by_label
from otx_seg.template import load
from otx_seg.training import validation
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint
from otx_seg.training.loggers import Logger, StepReport, TrainResult, ValidationReport, read_metrics
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.trainer import Trainer
from otx_seg.training.validation import ValidationPace
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import read_weights


class Recorder(Logger):
    def __init__(self) -> None:
        self.steps: list[StepReport] = []
        self.validations: list[ValidationReport] = []
        self.shown: list[list[str]] = []
        self.ends: list[TrainResult | None] = []

    def on_step(self, report: StepReport) -> None:
        self.steps.append(report)

    def on_validation(self, report: ValidationReport) -> None:
        self.validations.append(report)
        self.shown.append([picture.name for picture in report.pictures()])

    def on_end(self, result: TrainResult | None) -> None:
        self.ends.append(result)


@pytest.fixture(scope="module")
def finished(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    train_briefly(drawn_data, run)
    return run


def test_a_run_leaves_what_the_documentation_lists(finished: Path) -> None:
    files = "models/weights.pth models/label_schema.json logs/checkpoint/state.pth logs/metrics.jsonl logs/curves.png"
    for name in (*files.split(), "logs/otx.log", "template.yaml", "data.json", "cli_report.log"):
        assert (finished / name).stat().st_size > 0, name
    report = (finished / "cli_report.log").read_text()
    assert "random weights" in report
    assert "washer" in report


@pytest.mark.parametrize("ramp", ["exponential", "none"])
def test_the_average_begins_as_the_parameter_says(drawn_data: Path, finished: Path, tmp_path: Path, ramp: str) -> None:
    train_briefly(drawn_data, tmp_path / "run", parameters={"learning_parameters.ema_ramp": ramp})
    assert not same_weights(finished, tmp_path / "run")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    drawn_data: Path, finished: Path, tmp_path: Path
) -> None:
    # Worker processes must not matter either.
    train_briefly(drawn_data, tmp_path / "same", parameters={"learning_parameters.num_workers": 2})
    train_briefly(drawn_data, tmp_path / "other", seed=1)
    assert same_weights(tmp_path / "same", finished)
    assert not same_weights(tmp_path / "other", finished)


def test_the_memory_cache_changes_no_bit(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    train_briefly(drawn_data, tmp_path / "without", mem_cache_size="0")
    assert same_weights(tmp_path / "without", finished)
    # Room for some of the images only: 368 bytes of list, 16 KiB each.
    train_briefly(drawn_data, tmp_path / "little", mem_cache_size="50KB")
    assert same_weights(tmp_path / "little", finished)


@pytest.mark.parametrize("step", [2, 5, 9])
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(
    drawn_data: Path, finished: Path, tmp_path: Path, step: int
) -> None:
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "run", loggers=[CrashAt(step)])
    result = train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert same_weights(tmp_path / "run", finished)
    assert result.steps == 9
    steps = [entry["step"] for entry in read_metrics(tmp_path / "run" / "logs" / "metrics.jsonl")]
    assert steps == sorted(set(steps))


def test_no_process_is_left_behind(drawn_data: Path, tmp_path: Path) -> None:
    parameters = {"learning_parameters.num_workers": 2, "learning_parameters.num_iters": 1}
    train_briefly(drawn_data, tmp_path / "run", parameters=parameters)
    assert not multiprocessing.active_children()
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "crashed", parameters=parameters, loggers=[CrashAt(1)])
    assert not multiprocessing.active_children()


def test_a_signal_in_the_middle_of_an_epoch_saves_everything(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    class Interrupt(Logger):
        def on_step(self, report: StepReport) -> None:
            if report.step == 5:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(OtxError, match=r"interrupted by SIGINT after 5 steps.*otx train --resume-from .*run"):
        train_briefly(drawn_data, tmp_path / "run", loggers=[Interrupt()])
    recorder = Recorder()
    train_briefly(drawn_data, tmp_path / "moved", resume_from=tmp_path / "run", loggers=[recorder])
    assert recorder.steps[0].step == 6
    assert same_weights(tmp_path / "moved", finished)


def test_resuming_a_finished_run_gives_its_result(
    drawn_data: Path, finished: Path, tmp_path: Path, messages: Any
) -> None:
    recorder = Recorder()
    result = train_briefly(drawn_data, tmp_path / "copy", resume_from=finished, loggers=[recorder])
    assert (result.steps, recorder.steps) == (9, [])
    assert result.scores is not None
    assert f"{tmp_path / 'copy'} is already finished: 3 epochs done. This is its result" in messages.text
    assert same_weights(tmp_path / "copy", finished)


def test_processes_leave_together_once_all_is_saved(
    drawn_data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []

    def wait(_: object) -> None:
        saved.append(read_checkpoint(find_checkpoint(tmp_path / "run"))["position"]["step"])
        raise RuntimeError("Connection closed by peer")

    class Interrupt(Logger):
        def on_step(self, report: StepReport) -> None:
            if report.step == 5:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Accelerator, "wait_for_everyone", wait)
    with pytest.raises(OtxError, match=r"interrupted by SIGTERM after 5 steps"):
        train_briefly(drawn_data, tmp_path / "run", loggers=[Interrupt()])
    train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert saved == [5, 9]
    assert same_weights(tmp_path / "run", finished)


def test_a_signal_during_the_last_validation_is_heard(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    class Interrupt(Logger):
        def on_validation(self, report: ValidationReport) -> None:
            if report.step == 9:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(OtxError, match=r"interrupted by SIGINT after 9 steps; everything is saved"):
        train_briefly(drawn_data, tmp_path / "run", loggers=[Interrupt()])
    assert train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run").reason == "3 epochs done"
    assert same_weights(tmp_path / "run", finished)


def test_whatever_a_signal_breaks_off_is_done_again(
    drawn_data: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal to all processes ends those that load, and what waits for them fails wherever it is."""
    run, step = tmp_path / "run", Supervised.training_step

    def break_off() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("a loading process was killed by SIGTERM")

    def half_a_step(self: Supervised, batch: Any, moment: TrainProgress) -> Any:
        losses = step(self, batch, moment)  # the running statistics of its normalisation have moved on
        return break_off() if moment.step == 4 else losses

    with monkeypatch.context() as patch:
        patch.setattr(Supervised, "forward", half_a_step)
        with pytest.raises(OtxError, match=r"after 4 steps; the run continues from its last checkpoint"):
            train_briefly(drawn_data, run)
    with monkeypatch.context() as patch:
        patch.setattr(validation, "count_on_all_processes", lambda *how: break_off())
        with pytest.raises(OtxError, match=r"after 6 steps; everything is saved"):
            train_briefly(drawn_data, run, resume_from=run)
    assert read_checkpoint(find_checkpoint(run))["position"]["validated_step"] == 3
    train_briefly(drawn_data, run, resume_from=run)
    assert same_weights(run, finished)


def test_lost_weights_are_written_anew(drawn_data: Path, finished: Path, tmp_path: Path, messages: Any) -> None:
    train_briefly(drawn_data, tmp_path / "run", resume_from=finished)
    weights = tmp_path / "run" / "models" / "weights.pth"
    weights.unlink()
    result = train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert weights.exists()
    again = train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run")
    assert result.scores is not None
    assert again.scores is not None
    assert again.scores.dice_average == result.scores.dice_average
    assert "weights.pth is missing: it is written again, from the end of the training" in messages.text
    # Before the end, the next one that is scored is the best there is.
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "crashed", loggers=[CrashAt(8)])
    (tmp_path / "crashed" / "models" / "weights.pth").unlink()
    train_briefly(drawn_data, tmp_path / "crashed", resume_from=tmp_path / "crashed")
    assert "weights.pth is missing: the best network from now on is saved instead" in messages.text
    assert (tmp_path / "crashed" / "models" / "weights.pth").exists()


def test_weights_that_are_no_numbers_are_not_saved(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a limit for the gradient nobody looks at it: it may be no number where the loss is one."""
    template = small_template().as_dict() | {"gradient_clip_norm": None}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    after = Supervised.after_step

    def poisoned(self: Supervised) -> None:
        after(self)
        with torch.no_grad():
            next(self.parameters()).fill_(float("nan"))

    monkeypatch.setattr(Supervised, "after_step", poisoned)
    monkeypatch.setattr("otx_seg.training.trainer.CHECKPOINT_INTERVAL_S", 0.0)
    with pytest.raises(DivergedError, match=r"the weights became NaN or infinite in step 1; the state before it is in"):
        train_briefly(drawn_data, tmp_path / "run", template=tmp_path / "template.yaml")
    state = torch.load(tmp_path / "run" / "logs" / "checkpoint" / "state.pth", weights_only=True)
    assert all(value.isfinite().all() for value in state["algorithm"].values())


def test_a_run_goes_on_with_the_same_kernels(drawn_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, deterministic=True, loggers=[CrashAt(2)])
    torch.use_deterministic_algorithms(False)
    try:
        train_briefly(drawn_data, run, resume_from=run)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_killed_at_random_moments(drawn_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    base = [sys.executable, "-m", "otx_seg", "train"]
    roots = ["--train-data-roots", str(drawn_data / "train"), "--val-data-roots", str(drawn_data / "val")]
    parameters = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items())]
    start = [*base, str(small_file()), *roots, "--output"]
    fresh = [*start, str(run), *parameters]
    # Compared with a run in such a process: another number of threads adds in another order.
    subprocess.run([*start, str(tmp_path / "whole"), *parameters], check=True, capture_output=True)
    chance = random.Random(0)
    checkpoint = run / "logs" / "checkpoint" / "state.pth"
    resume = [*base, "--resume-from", str(run)]
    for command in (fresh, resume):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline and process.poll() is None:
                if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                    break
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.5))
            process.kill()
    subprocess.run(resume, check=True, capture_output=True)
    assert same_weights(run, tmp_path / "whole")


def test_resuming_with_another_template_or_other_data_is_refused(
    drawn_data: Path, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"batch_size = 3, not 4"):
        _resume(finished, parameters={"learning_parameters.batch_size": 4})
    with pytest.raises(UsageError, match=r"model.*SegNext|name = 'Lite-HRNet-s-mod2'"):
        _resume(finished, template="SegNext-t")
    with pytest.raises(UsageError, match=r"the train files are not those of the run to resume"):
        _resume(finished, train_data_roots=drawn_data / "val")
    with pytest.raises(UsageError, match=r"a data folder, where nothing is written"):
        _resume(finished, output=drawn_data / "train" / "run")
    with pytest.raises(UsageError, match=r"has no checkpoint"):
        _resume(tmp_path)
    with pytest.raises(UsageError, match=r"to start from weights, use --load-weights"):
        _resume(finished / "models" / "weights.pth")


def _resume(run: Path, **arguments: object) -> None:
    from otx_seg.verbs.train import train

    train(resume_from=run, **arguments)  # type: ignore[arg-type]


def test_a_finished_run_stays_as_it_is(drawn_data: Path, tmp_path: Path, finished: Path) -> None:
    recorder = Recorder()
    result = train_briefly(drawn_data, tmp_path / "again", resume_from=finished, loggers=[recorder])
    assert result.reason == "3 epochs done"
    assert not recorder.steps
    assert not recorder.validations
    assert same_weights(tmp_path / "again", finished)


def test_overwriting_leaves_nothing_of_the_old_run(drawn_data: Path, tmp_path: Path, finished: Path) -> None:
    run = tmp_path / "run"
    train_briefly(drawn_data, run, seed=5)
    with pytest.raises(UsageError, match=r"--overwrite"):
        train_briefly(drawn_data, run)
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, overwrite=True, loggers=[CrashAt(2)])
    assert not (run / "models" / "weights.pth").exists()
    train_briefly(drawn_data, run, resume_from=run)
    assert same_weights(run, finished)


def test_a_start_that_failed_does_not_block_its_folder(drawn_data: Path, tmp_path: Path) -> None:
    template = load("Lite-HRNet-s-mod2").as_dict() | {"optimizer": {"type": "Adamm"}}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    with pytest.raises(UsageError, match=r"unknown 'Adamm'"):
        train_briefly(drawn_data, tmp_path / "run", template=tmp_path / "template.yaml")
    with pytest.raises(DataError):
        train_briefly(tmp_path, tmp_path / "run")
    train_briefly(drawn_data, tmp_path / "run", parameters={"learning_parameters.num_iters": 1})


def test_memory_running_out_halves_the_batch(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step = Supervised.training_step

    def greedy(
        self: Supervised, batch: dict[str, dict[str, torch.Tensor]], moment: TrainProgress
    ) -> dict[str, torch.Tensor]:
        if len(batch["labelled"]["image"]) > 2:
            torch.empty(1 << 50, dtype=torch.uint8)
        return step(self, batch, moment)

    monkeypatch.setattr(Supervised, "forward", greedy)
    parameters = {"learning_parameters.batch_size": 4, "learning_parameters.num_iters": 1}
    with caplog.at_level(logging.INFO, "otx_seg"):
        result = train_briefly(drawn_data, tmp_path / "run", parameters=parameters)
    assert "continuing with batches of 2 from the start of epoch 1; the learning rate stays" in caplog.text
    assert result.steps == 4
    with pytest.raises(
        OtxError, match=r"memory ran out with batches of 4 images; lower learning_parameters.batch_size"
    ):
        train_briefly(
            drawn_data,
            tmp_path / "stubborn",
            parameters={**parameters, "learning_parameters.auto_adapt_batch_size": "None"},
        )


def test_a_loss_that_is_no_number_stops_the_run(drawn_data: Path, tmp_path: Path) -> None:
    class Poison(Logger):
        model: torch.nn.Module | None = None

        def on_step(self, report: StepReport) -> None:
            if report.step == 5 and self.model is not None:
                with torch.no_grad():
                    next(self.model.parameters()).fill_(float("nan"))

    poison = Poison()
    built = Supervised.__init__

    def remember(self: Supervised, *args: object) -> None:
        built(self, *args)  # type: ignore[arg-type]
        poison.model = self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Supervised, "__init__", remember)
        with pytest.raises(OtxError, match=r"became nan at step 6, with the images 00.*; the state before it is in"):
            train_briefly(drawn_data, tmp_path / "run", loggers=[poison])
    state = torch.load(tmp_path / "run" / "logs" / "checkpoint" / "state.pth", weights_only=True)
    assert all(value.isfinite().all() for value in state["algorithm"].values())


def test_a_time_budget_ends_the_run_cleanly(drawn_data: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    parameters = {
        "learning_parameters.max_minutes": 0.05,
        "learning_parameters.num_iters": 100_000,
        "learning_parameters.learning_rate_warmup_iters": 0,
    }
    result = train_briefly(drawn_data, tmp_path / "run", parameters=parameters, loggers=[recorder])
    assert result.reason == "the time budget is used up"
    assert 2.0 < result.elapsed_s < 10.0
    rates = [report.learning_rate for report in recorder.steps]
    assert rates == sorted(rates, reverse=True)  # by the time that has passed: of 100,000 epochs few steps are none
    assert rates[-1] < rates[0]


def test_a_resumed_run_validates_no_sooner_than_it_would_have(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * next(ticks))  # each look at the clock takes that long

    def slow(pace: ValidationPace, started: float) -> None:
        pace.duration_s, pace._ended = 4.0, time.monotonic()  # so that the next one is due after 80 seconds

    monkeypatch.setattr(ValidationPace, "note", slow)
    parameters = {"learning_parameters.max_minutes": 0.1, "learning_parameters.num_iters": 100_000}
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "run", parameters=parameters, loggers=[CrashAt(5)])
    recorder = Recorder()
    result = train_briefly(drawn_data, tmp_path / "run", resume_from=tmp_path / "run", loggers=[recorder])
    assert result.steps > 9  # three epochs
    assert [report.step for report in recorder.validations] == [result.steps]


def test_the_best_weights_are_kept(drawn_data: Path, tmp_path: Path) -> None:
    """As long as the learning rate does not decay, the last network is as good as any."""
    recorder = Recorder()
    result = train_briefly(
        drawn_data,
        tmp_path / "run",
        loggers=[recorder],
        parameters={"learning_parameters.learning_rate_schedule": "constant"},
    )
    best = max(report.scores.dice_average for report in recorder.validations)
    assert result.scores.dice_average == best == recorder.validations[-1].best
    assert result.choice == ""
    assert recorder.ends == [result]
    names = sorted(path.name for path in (drawn_data / "val" / "images").iterdir())
    dice = [0.0, *(report.scores.dice_average for report in recorder.validations)]
    assert recorder.shown == [names if now > max(dice[:index]) else [] for index, now in enumerate(dice) if index]
    lines = map(json.loads, (tmp_path / "run" / "logs" / "metrics.jsonl").read_text().splitlines())
    assert [line["Dice Average"] for line in lines if "Dice Average" in line] == [
        report.scores.dice_average for report in recorder.validations
    ]


def test_without_a_label_to_score_the_last_network_is_kept(drawn_data: Path, tmp_path: Path, messages: Any) -> None:
    data = tmp_path / "data"
    shutil.copytree(drawn_data, data)
    for mask in (data / "val" / "masks").iterdir():
        Image.new("L", Image.open(mask).size, 0).save(mask)  # nothing but background
    changes = {
        "learning_parameters.num_iters": 6,
        "learning_parameters.early_stop_start": 0,
        "learning_parameters.early_stop_patience": 1,
        "learning_parameters.early_stop_iteration_patience": 1,
    }
    result = train_briefly(data, tmp_path / "run", parameters=changes)
    assert (result.epoch, result.epochs, result.reason) == (6, 6, "6 epochs done")
    assert "the validation images show none of " in messages.text


@pytest.mark.parametrize(("last", "kept"), [((890, 905), 3), ((500, 510), 1)])
def test_the_last_network_is_kept_unless_an_earlier_one_is_better_by_more_than_noise(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: tuple[int, int], kept: int
) -> None:
    agreed = iter([(900, 900), (600, 600), last])  # of 1,000 pixels of each label, on two images

    def counts(*how: Any) -> PixelCounts:
        right = torch.eye(len(DRAWN), dtype=torch.int64)
        images = [number * right + (1000 - number) * right.roll(1, 0) for number in next(agreed)]
        return PixelCounts(images[0] + images[1], torch.stack([counts_by_label(image) for image in images]))

    monkeypatch.setattr(validation, "count_on_all_processes", counts)
    ends, run = Recorder(), tmp_path / "run"
    result = train_briefly(drawn_data, run, loggers=[ends])
    assert result.epoch == kept
    assert result.scores is not None
    assert result.scores.dice_average == pytest.approx(sum(last) / 2000 if kept == 3 else 0.9)
    higher = f"Dice of epoch 1 is {0.9 - sum(last) / 2000:.4f} higher than that of the last one, "
    assert higher + ("within the noise of 2 images" if kept == 3 else "more than two standard errors") in result.choice
    assert ("though 2 images prove little" in result.choice) == (kept != 3)
    assert result.choice in (run / "cli_report.log").read_text()
    assert ends.validations[-1].best == result.scores.dice_average
    average = read_checkpoint(find_checkpoint(run))["average"]
    saved = read_weights(RunFolder(run).weights).state_dict
    is_last = all(torch.equal(value, average[f"module.network.{key}"]) for key, value in saved.items())
    assert is_last == (kept == 3)
    assert train_briefly(drawn_data, run, resume_from=run).choice == result.choice


def test_an_epoch_counts_from_its_begin(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose time ends within an epoch has trained in it, in messages and in the result alike."""
    monkeypatch.setattr(Trainer, "progress", property(lambda trainer: min(trainer.state.step / 2, 1.0)))
    ends = Recorder()
    result = train_briefly(drawn_data, tmp_path, loggers=[ends])
    assert [(report.step, report.epoch) for report in ends.validations] == [(2, 1)]
    assert (result.epoch, result.epochs, result.steps) == (1, 1, 2)
    assert "kept: the network of epoch 1 of 1" in (tmp_path / "cli_report.log").read_text()
    assert train_briefly(drawn_data, tmp_path, resume_from=tmp_path).epoch == 1
