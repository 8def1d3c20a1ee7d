"""A search from a bad learning rate: what it finds, what it leaves, and that nothing stops it for good."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from brief_training import PARAMETERS, same_weights
from small_network import small_template
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from otx_seg.algorithms.supervised import Supervised
from otx_seg.annotations.samples import Sample
from otx_seg.datasets import DataSpec, Subset
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.errors import OtxError, UsageError
from otx_seg.hpo import halving, length, trial, workers
from otx_seg.hpo.promote import promote_next
from otx_seg.report.trials import Trial, Trials, read_trials, write_trials
from otx_seg.template import load
from otx_seg.training import validation
from otx_seg.training.context import TrainContext
from otx_seg.training.loggers import Logger, StepReport, TrainResult, read_metrics
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.setup import build as start
from otx_seg.training.setup.plan import Plan
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.training.trainer import Trainer
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import RunFolder

RATE = "learning_parameters.learning_rate"
BAD_RATE = 1e-6
EPOCHS = 12
FIRST = 3  # epochs up to the first rung: 12 steps
SETTINGS = {**PARAMETERS, "learning_parameters.num_iters": EPOCHS, "learning_parameters.batch_size": 2}
SETTINGS |= {RATE: BAD_RATE, "learning_parameters.early_stop_patience": 1000}


BRIEF = {"learning_parameters.num_iters": 4}  # with a ratio of 2: three trials of two epochs
RATIO = 2.75  # four trials stop at a quarter, one at three quarters


@pytest.fixture(scope="module", autouse=True)
def short() -> Any:
    """Trials may be judged after twelve steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(length, "FEWEST_STEPS", 12)
        yield


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network whose learning rate alone is searched, so that all trainings make equally many steps."""
    content = small_template().as_dict()
    content["search_space"] = {"learning_parameters": {"learning_rate": {"low": 1e-6, "high": 3e-2, "log": True}}}
    path = tmp_path_factory.mktemp("template") / "small.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(data: Path, template: Path, output: Path, ratio: float | None, **more: Any) -> TrainResult:
    parameters = {**SETTINGS, **more.pop("parameters", {})}
    search = {} if ratio is None else {"enable_hpo": True, "hpo_time_ratio": ratio}
    return train(
        data / "train", data / "val", template=template, output=output, parameters=parameters, **search, **more
    )


@pytest.fixture(scope="module")
def searched(drawn_data: Path, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search of six trials at 3 and 9 of 12 epochs."""
    output = tmp_path_factory.mktemp("searched") / "run"
    run(drawn_data, template, output, RATIO, trackers=["tensorboard"])
    return output


def trials_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "hpo" / "trials.json").read_text())
    return content


def values_of(folder: Path) -> list[float]:
    return [found["values"][RATE] for found in trials_of(folder)["trials"]]


def dice(folder: Path) -> float:
    entries = read_metrics(folder / "logs" / "metrics.jsonl")
    return max(entry["Dice Average"] for entry in entries if "Dice Average" in entry)


def test_a_bad_learning_rate_is_replaced_by_a_better_one(
    drawn_data: Path, template: Path, searched: Path, tmp_path: Path
) -> None:
    plain = run(drawn_data, template, tmp_path / "plain", None)
    chosen = load(searched / "template.yaml").hyper_parameters.learning_parameters.learning_rate
    assert chosen > 10 * BAD_RATE
    assert plain.scores is not None
    assert dice(searched) > plain.scores.dice_average + 0.1
    assert read_metrics(searched / "logs" / "metrics.jsonl")[-1]["step"] == plain.steps


@pytest.mark.parametrize("trained", [False, True])
def test_a_trained_network_goes_on_more_carefully(
    drawn_data: Path, template: Path, searched: Path, tmp_path: Path, trained: bool
) -> None:
    weights = searched / "models" / "weights.pth" if trained else None
    run(drawn_data, template, tmp_path / "run", 2.0, parameters=BRIEF | {RATE: 1e-3}, load_weights=weights)
    first, *others = values_of(tmp_path / "run")
    assert first == 1e-3
    assert others == sorted(others, reverse=not trained)
    assert len(others) == 2


def test_there_is_time_for_two_trials_unless_somebody_asked_for_less(
    drawn_data: Path, template: Path, tmp_path: Path
) -> None:
    run(drawn_data, template, tmp_path / "run", None, parameters=BRIEF, enable_hpo=True)
    found = trials_of(tmp_path / "run")
    assert found["ratio"] == 1.5  # twelve of 24 steps
    assert len(found["trials"]) == 2


def test_the_given_values_are_the_first_trial(searched: Path) -> None:
    assert values_of(searched)[0] == BAD_RATE
    assert len(set(values_of(searched))) == len(values_of(searched)) == 6


def test_the_chosen_training_is_that_of_a_run_with_its_values(
    drawn_data: Path, template: Path, searched: Path, tmp_path: Path
) -> None:
    found = trials_of(searched)
    run(drawn_data, template, tmp_path / "plain", None, parameters={RATE: values_of(searched)[found["chosen"]]})
    assert same_weights(searched, tmp_path / "plain")
    assert (searched / "template.yaml").read_text() == (tmp_path / "plain" / "template.yaml").read_text()
    steps = [entry["step"] for entry in read_metrics(searched / "logs" / "metrics.jsonl")]
    assert steps == sorted(steps)


def test_semi_supervised_training_is_searched_too(drawn_data: Path, template: Path, tmp_path: Path) -> None:
    draw_dataset(tmp_path / "more", 10, 64, seed=9)
    unlabelled = tmp_path / "more" / "train" / "images"
    run(drawn_data, template, tmp_path / "run", 2.0, parameters=BRIEF, unlabeled_data_roots=unlabelled)
    assert load(tmp_path / "run" / "template.yaml").hyper_parameters.algo_backend.train_type == "Semisupervised"
    assert len(trials_of(tmp_path / "run")["trials"]) == 3
    lines = read_metrics(tmp_path / "run" / "logs" / "metrics.jsonl")
    assert all("unsupervised" in line for line in lines if "loss" in line)


def test_trials_really_stop(searched: Path) -> None:
    found = trials_of(searched)
    assert found["rungs"] == [FIRST / EPOCHS, 3 * FIRST / EPOCHS]
    for one in found["trials"]:
        epochs = 3 * FIRST if one["number"] == found["chosen"] or len(one["scores"]) == 2 else FIRST
        assert one["epochs"] == epochs
        assert one["steps"] == 4 * epochs
        lines = read_metrics(searched / "hpo" / "trials" / str(one["number"]) / "logs" / "metrics.jsonl")
        assert max(line["step"] for line in lines) == 4 * epochs
        assert one["scores"][-1] == [line["mDice"] for line in lines if "mDice" in line][-1]
    assert sum(len(one["scores"]) == 2 for one in found["trials"]) == 2
    assert [one["outcome"] for one in found["trials"]].count("chosen") == 1


def test_every_trial_tells_what_each_image_changes_in_its_score(searched: Path) -> None:
    """Against which the noise of the validation images is measured; such changes sum to 0."""
    for folder in (searched / "hpo" / "trials").iterdir():
        changes = json.loads((folder / "changes.json").read_text())
        assert len(changes) > 1
        assert sum(changes) == pytest.approx(0, abs=1e-9)
        assert any(changes)


def test_what_goes_on_is_what_scored_best(searched: Path) -> None:
    found = trials_of(searched)
    at_first = {one["number"]: one["scores"][0] for one in found["trials"]}
    went_on = [one for one in found["trials"] if len(one["scores"]) == 2]
    stopped = at_first.keys() - {one["number"] for one in went_on}
    assert min(one["scores"][0] for one in went_on) >= max(at_first[number] for number in stopped)
    assert max(went_on, key=lambda one: one["scores"][1])["number"] == found["chosen"]


def test_a_finished_run_keeps_the_table_and_no_weights_but_its_own(searched: Path) -> None:
    assert not list((searched / "hpo").rglob("*.pth"))
    report = (searched / "cli_report.log").read_text()
    assert "0 (start)" in report
    assert "where the values the search began with had" in " ".join(report.split())


def test_a_tracker_sees_the_training_that_the_search_ends_in(searched: Path) -> None:
    scored = [entry["step"] for entry in read_metrics(searched / "logs" / "metrics.jsonl") if "mDice" in entry]
    tracked = EventAccumulator(str(searched / "trackers" / "tensorboard")).Reload()
    assert [value.step for value in tracked.Scalars("scores/mDice")] == scored[9:]  # of 12 epochs
    rows = [folder.relative_to(searched).as_posix() for folder in searched.rglob("pictures")]
    assert rows in ([], ["logs/pictures"])  # of that training alone, if it has an improvement; trials write none


class Interrupt(Logger):
    """Ctrl-C after so many steps of all trials together."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_step(self, report: StepReport) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)

    on_trial_step = on_step


def test_a_signal_in_the_last_step_of_a_trial_costs_no_score(
    drawn_data: Path, template: Path, searched: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    with pytest.raises(InterruptedRunError):
        run(drawn_data, template, output, RATIO, loggers=[Interrupt(4 * FIRST)])
    train(resume_from=output)
    assert values_of(output) == values_of(searched)
    assert [one["scores"] for one in trials_of(output)["trials"]] == [
        one["scores"] for one in trials_of(searched)["trials"]
    ]
    assert same_weights(output, searched)


def test_a_signal_while_a_trial_is_scored_ends_the_search(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = validation.count_on_all_processes

    def interrupted(*how: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return score(*how)

    monkeypatch.setattr(validation, "count_on_all_processes", interrupted)
    parameters = BRIEF | {"learning_parameters.use_adaptive_interval": True}  # scores at the rung alone
    with pytest.raises(InterruptedRunError):
        run(drawn_data, template, tmp_path / "run", 2.0, parameters=parameters)
    assert len(list((tmp_path / "run" / "hpo" / "trials").iterdir())) == 1


class Crash(Logger):
    def __init__(self, after: int) -> None:
        self.left = after

    def on_step(self, report: StepReport) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("the power failed")

    on_trial_step = on_step


def test_an_interrupted_search_goes_on_as_if_it_had_never_stopped(
    drawn_data: Path, template: Path, searched: Path, tmp_path: Path
) -> None:
    output = tmp_path / "run"
    # In the second trial, in the first one that goes on, and in the training that is left.
    with pytest.raises(InterruptedRunError, match=rf"otx train --resume-from {output}$"):
        run(drawn_data, template, output, RATIO, loggers=[Interrupt(15)])
    listeners: list[tuple[Logger, type[Exception]]] = [(Crash(67), RuntimeError), (Interrupt(44), InterruptedRunError)]
    for listener, error in listeners:
        journal = output / "hpo" / "journal.log"
        journal.write_bytes(journal.read_bytes() + b'{"half a li')
        with pytest.raises(error):
            train(resume_from=output, loggers=[listener])
    assert (output / "logs" / "checkpoint" / "state.pth").exists()
    train(resume_from=output)
    assert values_of(output) == values_of(searched)
    assert trials_of(output)["chosen"] == trials_of(searched)["chosen"]
    assert same_weights(output, searched)
    assert "0 (start)" in (output / "cli_report.log").read_text()


def test_trials_and_training_decode_each_image_once(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    read_image = Subset.read_image

    def counted(subset: Subset, sample: Sample) -> Any:
        decoded.append(str(sample.image))
        return read_image(subset, sample)

    monkeypatch.setattr(Subset, "read_image", counted)
    run(drawn_data, template, tmp_path / "run", 2.0, parameters=BRIEF)
    trained_on = [image for image in decoded if "train" in image]
    assert len(trials_of(tmp_path / "run")["trials"]) == 3
    assert trained_on
    assert len(trained_on) == len(set(trained_on))


def test_a_search_is_resumed_as_it_began(drawn_data: Path, template: Path, searched: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        run(drawn_data, template, tmp_path / "run", RATIO, loggers=[Crash(1)])
    for folder in (searched, tmp_path / "run"):
        with pytest.raises(UsageError, match=r"has --hpo-time-ratio 2.75, not 2"):
            train(resume_from=folder, enable_hpo=True, hpo_time_ratio=2.0)
    with pytest.raises(UsageError, match=r"learning_rate = 1e-06, not 0.1"):
        train(resume_from=tmp_path / "run", parameters={RATE: 0.1})
    with pytest.raises(UsageError, match=r"stays in its folder"):
        train(resume_from=tmp_path / "run", output=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


def test_a_search_begins_with_what_was_decided(drawn_data: Path, template: Path, tmp_path: Path, messages: Any) -> None:
    content = load(template).as_dict()
    content["search_space"] = {"learning_parameters": {"batch_size": {"low": 2, "high": 4}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    size = "learning_parameters.batch_size"
    output, parameters = tmp_path / "run", {**BRIEF, size: "auto", RATE: 1e-3}
    with pytest.raises(RuntimeError):
        run(drawn_data, tmp_path / "own.yaml", output, 2.0, parameters=parameters, loggers=[Crash(2)])
    assert "decided: batch_size 8 (" in messages.text
    begun = json.loads((output / "hpo" / "search.json").read_text())["template"]
    assert begun["hyper_parameters"]["learning_parameters"]["batch_size"] == 8
    train(resume_from=output)
    assert messages.text.count("decided: batch_size") == 1
    sizes = [found["values"][size] for found in trials_of(output)["trials"]]
    assert sizes[0] == 8
    assert all(2 <= later <= 4 for later in sizes[1:])
    chosen = load(output / "template.yaml")
    assert chosen.left_open == ()
    decided = {item["parameter"]: item for item in json.loads((output / "auto_configuration.json").read_text())}
    assert decided[size]["value"] == chosen.hyper_parameters.learning_parameters.batch_size
    assert f"{size} = {decided[size]['value']}: " in (output / "cli_report.log").read_text()


def test_a_trial_that_diverges_is_stopped_alone(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = trial.build_trainer

    def poisoned(chosen: TrainContext, network: Any, *rest: Any) -> Any:
        if chosen.template.hyper_parameters.learning_parameters.learning_rate == BAD_RATE:
            torch.nn.init.constant_(next(network.parameters()), float("nan"))
        return begin(chosen, network, *rest)

    monkeypatch.setattr(trial, "build_trainer", poisoned)
    run(drawn_data, template, tmp_path / "run", 2.0, parameters=BRIEF)
    found = trials_of(tmp_path / "run")
    assert [one["outcome"] for one in found["trials"]][:1] == ["failed"]
    assert sorted(one["outcome"] for one in found["trials"]) == ["chosen", "failed", "stopped"]
    assert "became nan" in found["trials"][0]["failure"]
    assert found["trials"][0]["scores"] == []
    assert "the values the search began with failed" in (tmp_path / "run" / "cli_report.log").read_text()


def test_nothing_is_left_where_all_trials_diverge(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = trial.build_trainer

    def poisoned(chosen: TrainContext, network: Any, *rest: Any) -> Any:
        torch.nn.init.constant_(next(network.parameters()), float("nan"))
        return begin(chosen, network, *rest)

    monkeypatch.setattr(trial, "build_trainer", poisoned)
    with pytest.raises(OtxError, match=r"no trial came to 25 % of a training: the loss became nan"):
        run(drawn_data, template, tmp_path / "run", 1.25)


def test_the_next_best_trial_goes_on_where_the_best_one_diverges_in_the_end(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    output = tmp_path / "run"
    with pytest.raises(InterruptedRunError):  # three trials of 8 steps, then 2 of the final training
        run(drawn_data, template, output, 2.0, parameters=BRIEF, loggers=[Interrupt(26)])
    before = trials_of(output)
    poisoned = before["trials"][before["chosen"]]["values"][RATE]

    class Poisoned(Trainer):
        def resume(self, state: dict[str, Any]) -> None:
            super().resume(state)
            if self.parameters.learning_rate == poisoned:
                torch.nn.init.constant_(next(self.model.parameters()), float("nan"))

    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "Trainer", Poisoned)
    with monkeypatch.context() as patch:
        patch.setattr("otx_seg.verbs.train.free_memory", interrupt)
        with pytest.raises(InterruptedRunError):  # the next best trial is chosen, and has saved nothing yet
            train(resume_from=output)
    result = train(resume_from=output)
    found = trials_of(output)
    ranked = sorted(before["trials"], key=lambda one: -one["scores"][0])
    assert (ranked[0]["number"], ranked[1]["number"]) == (before["chosen"], found["chosen"])
    outcomes = {one["number"]: one["outcome"] for one in found["trials"]}
    assert [outcomes[one["number"]] for one in ranked] == ["failed", "chosen", "stopped"]
    assert "became nan" in found["trials"][before["chosen"]]["failure"]
    said = " ".join(messages.text.split())
    assert f"trial {before['chosen']} (learning_rate {poisoned:.3g}), the chosen one, failed in the final" in said
    assert f"resumes from 50 %, which takes longer than planned: trial {found['chosen']}" in said
    rate = values_of(output)[found["chosen"]]
    assert load(output / "template.yaml").hyper_parameters.learning_parameters.learning_rate == rate
    run(drawn_data, template, tmp_path / "plain", None, parameters={**BRIEF, RATE: rate})
    assert same_weights(output, tmp_path / "plain")
    assert result.steps == 16
    assert not list((output / "hpo").rglob("*.pth"))


def test_a_final_training_fails_where_no_trial_is_left(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poisoned(Trainer):
        def fit(self, until: float = 1.0, steps: float = math.inf) -> TrainResult:
            if until == 1.0:
                raise DivergedError("the loss became nan")
            return super().fit(until, steps)

    monkeypatch.setattr(start, "Trainer", Poisoned)
    with pytest.raises(DivergedError):
        run(drawn_data, template, tmp_path / "run", 2.0, parameters=BRIEF)
    assert [one["outcome"] for one in trials_of(tmp_path / "run")["trials"]].count("failed") == 2


def test_processes_share_the_trials(drawn_data: Path, template: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    run(drawn_data, template, output, 2.0, hpo_parallel=2, parameters=BRIEF)
    found = trials_of(output)
    processes = {one["process"] for one in found["trials"]}
    assert len(processes) == 2
    assert os.getpid() not in processes
    assert values_of(output)[0] == BAD_RATE
    assert (output / "logs" / "checkpoint" / "state.pth").exists()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_search_whose_process_was_killed_goes_on_in_several(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, ask = tmp_path / "run", workers.ChildProcess.ask

    def killed(child: Any, do: str, **details: Any) -> Any:
        if details["task"].number == 1:
            child.process.kill()
        return ask(child, do, **details)

    with monkeypatch.context() as patch:
        patch.setattr(workers.ChildProcess, "ask", killed)
        with pytest.raises(OtxError, match=r"trial 1: the process that ran it was ended by SIGKILL") as raised:
            run(drawn_data, template, output, 2.0, hpo_parallel=2, parameters=BRIEF)
    assert "--resume-from" in str(raised.value)
    train(resume_from=output)
    found = trials_of(output)["trials"]
    assert len(found) == 3
    assert os.getpid() not in {one["process"] for one in found}


def test_a_time_budget_too_short_for_trials_is_used_without_them(
    drawn_data: Path, template: Path, tmp_path: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "FEWEST_STEPS", 10_000)
    monkeypatch.setattr(length, "has_learned", lambda score, labels: True)
    parameters = {"learning_parameters.max_minutes": 0.03, "learning_parameters.num_iters": 100_000}
    result = run(drawn_data, template, tmp_path / "run", 1.5, parameters=parameters)
    assert "no search: the 10000 steps" in messages.text
    told = re.search(r"take ([\d.]+) % of this training.*max_minutes of ([\d.e+]+)\. ", messages.text)
    assert told is not None
    # A first trial beside the winner may take half of a training.
    enough = 0.03 * float(told[1]) / 100 / 0.5
    assert 0.99 * enough <= float(told[2]) <= 1.11 * enough
    assert result.reason == "the time budget is used up"
    assert values_of(tmp_path / "run") == [BAD_RATE]
    # The training gets the time of the search too.
    assert "left 0.015 minutes of its time" in messages.text
    parameters = yaml.safe_load((tmp_path / "run" / "template.yaml").read_text())["hyper_parameters"]
    assert parameters["learning_parameters"]["max_minutes"] == pytest.approx(1.5 * 0.03)
    assert result.elapsed_s > 0.9 * 1.5 * 0.03 * 60


def test_a_bad_rate_is_replaced_where_the_time_is_short_too(
    drawn_data: Path, template: Path, tmp_path: Path, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "FEWEST_STEPS", 10_000)
    content = load(template).as_dict()
    content["search_space"] = {"learning_parameters": {"learning_rate": {"low": 3e-3, "high": 3e-2, "log": True}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    ticks = count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * next(ticks))  # each look at the clock takes that long
    parameters = {"learning_parameters.max_minutes": 0.1, "learning_parameters.num_iters": 100_000}
    parameters |= {"learning_parameters.learning_rate_warmup_iters": 0}
    run(drawn_data, tmp_path / "own.yaml", tmp_path / "run", 1.5, parameters=parameters)
    assert "nothing is learned in" in messages.text
    assert values_of(tmp_path / "run") == [BAD_RATE, 3e-3]
    assert trials_of(tmp_path / "run")["chosen"] == 1
    assert load(tmp_path / "run" / "template.yaml").hyper_parameters.learning_parameters.learning_rate == 3e-3


def test_trials_that_do_not_lead_at_a_first_look_end_there(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "FEWEST_STEPS", 10)
    monkeypatch.setattr(halving, "_PROMISING", 2.0)  # more than any lead
    monkeypatch.setattr(length, "has_learned", lambda score, labels: True)
    ticks = count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * next(ticks))  # each look at the clock takes that long
    parameters = {"learning_parameters.max_minutes": 0.12, "learning_parameters.num_iters": 100_000}
    parameters |= {"learning_parameters.learning_rate_warmup_iters": 0, RATE: 1e-3}
    output = tmp_path / "run"
    with pytest.raises(RuntimeError):
        run(drawn_data, template, output, 1.2, parameters=parameters, loggers=[Crash(12)])
    train(resume_from=output)
    found = trials_of(output)
    first, *others = found["trials"]
    assert 1 / 27 <= found["rungs"][0] < 1.5 / 27
    assert found["rungs"][1] > 1.5 / 27
    assert (len(first["scores"]), first["outcome"], first["steps"] >= 10) == (2, "chosen", True)
    assert others
    assert all(len(other["scores"]) == 1 and other["steps"] < first["steps"] for other in others)
    assert all((output / "hpo" / "trials" / str(other["number"])).is_dir() for other in others)


def test_a_trial_that_does_not_fit_into_memory_fails_alone(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = load(template).as_dict()
    content["search_space"] = {"learning_parameters": {"batch_size": {"low": 2, "high": 8}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(content))
    step = Supervised.training_step

    def greedy(self: Supervised, batch: Any, moment: Any) -> Any:
        if len(batch["labelled"]["image"]) > 2:
            torch.empty(1 << 50, dtype=torch.uint8)
        return step(self, batch, moment)

    monkeypatch.setattr(Supervised, "forward", greedy)
    run(drawn_data, tmp_path / "own.yaml", tmp_path / "run", 2.0, parameters=BRIEF | {RATE: 1e-3})
    first, *others = trials_of(tmp_path / "run")["trials"]
    assert (first["values"], first["outcome"]) == ({"learning_parameters.batch_size": 2}, "chosen")
    large = [other for other in others if other["values"]["learning_parameters.batch_size"] > 2]
    assert large
    assert all(other["outcome"] == "failed" and "memory ran out" in other["failure"] for other in large)


def test_of_two_equal_trials_the_one_at_work_fails(tmp_path: Path, template: Path) -> None:
    both = {RATE: 1e-3}
    found = Trials(2.0, (0.5,), 1, tuple(Trial(number, both, (0.5,), "stopped", "", 2, 8, 1.0, 1) for number in (0, 1)))
    folder = RunFolder(tmp_path / "run")
    write_trials(folder.trials, found)
    for number in (0, 1):
        folder.trial(number).checkpoint.parent.mkdir(parents=True)
        folder.trial(number).checkpoint.touch()
    plan = Plan(load(template).override(both), "", DataSpec(tmp_path), 1, None, None, None, None)
    with pytest.raises(FileNotFoundError):  # the other one has no weights here
        promote_next(plan, folder, "the loss became nan")
    assert [one.outcome for one in read_trials(folder.trials).trials] == ["chosen", "failed"]


def test_a_time_budget_is_shared_by_trials(
    drawn_data: Path, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(length, "FEWEST_STEPS", 1)
    ticks = count()
    monkeypatch.setattr(time, "monotonic", lambda: 0.01 * next(ticks))  # each look at the clock takes that long
    parameters = {"learning_parameters.max_minutes": 0.02, "learning_parameters.num_iters": 100_000}
    parameters |= {"learning_parameters.learning_rate_warmup_iters": 0}
    result = run(drawn_data, template, tmp_path / "run", 1.2, parameters=parameters)
    found = trials_of(tmp_path / "run")
    assert len(found["trials"]) > 2
    stopped_s = sum(one["seconds"] for one in found["trials"] if one["outcome"] == "stopped")
    assert result.reason == "the time budget is used up"
    # A step and a validation may begin just before the time is up.
    assert stopped_s < 0.2 * 1.2 + 0.1 * len(found["trials"])
    # It gets what they have left over; here, where they end late by a large part, nothing.
    minutes = yaml.safe_load((tmp_path / "run" / "template.yaml").read_text())["hyper_parameters"]
    assert minutes["learning_parameters"]["max_minutes"] == pytest.approx(max(0.02, 1.2 * 0.02 - stopped_s / 60))
