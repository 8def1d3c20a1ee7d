"""`learning_parameters.watch`: what chooses the network, ends the training and lowers the rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from brief_training import CrashAt, same_weights, train_briefly

from otx_seg.cli.main import main
from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.errors import UsageError
from otx_seg.metrics.confusion import PixelCounts, counts_by_label
from otx_seg.training import validation
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint
from otx_seg.training.loggers import Logger, ValidationReport, read_metrics
from otx_seg.verbs.train import train

WATCH = "learning_parameters.watch"
FIRST = DRAWN[1]


class Heard(Logger):
    def __init__(self) -> None:
        self.told: list[ValidationReport] = []

    def on_validation(self, report: ValidationReport) -> None:
        self.told.append(report)


def _counts_of(agreed: dict[str, int]) -> PixelCounts:
    """Two images with 1,000 pixels of each label, so many of which are found; the rest is taken for the next label."""
    found = torch.tensor([agreed.get(name, agreed["others"]) for name in DRAWN])
    image = torch.diag(found) + torch.diag(1000 - found).roll(1, 1)
    return PixelCounts(2 * image, torch.stack([counts_by_label(image)] * 2))


@pytest.mark.parametrize(("watch", "kept"), [("dice", 1), (f"dice:{FIRST}", 2), ("miou", 1)])
def test_it_chooses_the_network(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: str, kept: int
) -> None:
    scored = iter([{"others": 900, FIRST: 700}, {"others": 700, FIRST: 990}, {"others": 600, FIRST: 600}])
    monkeypatch.setattr(validation, "count_on_all_processes", lambda *how: _counts_of(next(scored)))
    heard, run = Heard(), tmp_path / "run"
    changes = {WATCH: watch, "learning_parameters.ema_keep": 0.0}
    result = train_briefly(drawn_data, run, parameters=changes, loggers=[heard])
    assert result.epoch == kept
    assert result.scores is not None
    best = heard.told[kept - 1]
    assert result.metric.of(result.scores) == best.score == max(report.score for report in heard.told)
    assert read_checkpoint(find_checkpoint(run))["position"]["best_score"] == best.score
    assert [entry["score"] for entry in read_metrics(run / "logs" / "metrics.jsonl") if "score" in entry] == [
        report.score for report in heard.told
    ]
    assert f"{result.metric.name}: {best.score:.4f}" in (run / "cli_report.log").read_text()


@pytest.mark.parametrize("watch", ["dice", "accuracy"])
def test_it_ends_the_training_and_lowers_the_rate(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: str
) -> None:
    """The Dice without background grows; what grows less are the pixels of the background, which are a third of all."""
    assert DRAWN[0] == "background"
    rising = iter([_counts_of({"others": 600 + 10 * step, "background": 900 - 60 * step}) for step in range(9)])
    monkeypatch.setattr(validation, "count_on_all_processes", lambda *how: next(rising))
    changes: dict[str, Any] = {
        WATCH: watch,
        "learning_parameters.num_iters": 6,
        "learning_parameters.learning_rate_schedule": "plateau",
        "learning_parameters.early_stop_start": 0,
        "learning_parameters.early_stop_patience": 2,
        "learning_parameters.early_stop_iteration_patience": 0,
    }
    result = train_briefly(drawn_data, tmp_path / "run", parameters=changes)
    stalled = read_checkpoint(find_checkpoint(tmp_path / "run"))["learning_rate"]["stalled"]
    assert (result.reason, stalled) == (("6 epochs done", 0) if watch == "dice" else (result.reason, 2))
    assert ("no better score" in result.reason) == (watch != "dice")


def test_the_promise_of_the_choice_names_it(drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = iter([{"others": 900}, {"others": 600}, {"others": 895}])
    monkeypatch.setattr(validation, "count_on_all_processes", lambda *how: _counts_of(next(scored)))
    result = train_briefly(drawn_data, tmp_path / "run", parameters={WATCH: "accuracy"})
    told = "the pixel accuracy of epoch 1 is 0.0050 higher than that of the last one, more than two standard errors"
    assert result.choice.startswith(told)


def test_a_resumed_run_goes_on_with_it(drawn_data: Path, tmp_path: Path) -> None:
    changes = {WATCH: "fw_iou"}
    train_briefly(drawn_data, tmp_path / "whole", parameters=changes)
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, run, parameters=changes, loggers=[CrashAt(5)])
    heard = Heard()
    result = train_briefly(drawn_data, run, resume_from=run, loggers=[heard])
    assert {report.metric.key for report in heard.told} == {result.metric.key} == {"fw_iou"}
    assert same_weights(run, tmp_path / "whole")
    with pytest.raises(UsageError, match=r"the run to resume has learning_parameters.watch = 'fw_iou', not 'miou'"):
        train(resume_from=run, parameters={WATCH: "miou"})


@pytest.mark.parametrize(
    ("watch", "message"),
    [
        ("dice:scrath", r"learning_parameters.watch=dice:scrath: there is no label 'scrath'; "),
        ("iou", r"learning_parameters.watch.*known are dice, dice_with_background, .* and dice: with the name"),
    ],
)
def test_what_cannot_be_watched_is_refused(drawn_data: Path, tmp_path: Path, watch: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train_briefly(drawn_data, tmp_path / "run", parameters={WATCH: watch})


def test_the_command_refuses_it_with_the_code_of_wrong_usage(
    drawn_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "Lite-HRNet-s-mod2", "--train-data-roots", str(drawn_data / "train"), "--val-data-roots"]
    words += [str(drawn_data / "val"), "--output", str(tmp_path / "run"), "params", f"--{WATCH}", "dice:scrath"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "there is no label 'scrath'" in capsys.readouterr().err
    assert not (tmp_path / "run" / "models").exists()
