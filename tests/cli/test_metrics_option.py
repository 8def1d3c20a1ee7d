"""`--metrics`, `--without-labels` and `--boundary-width` of `otx eval`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import otx_seg
from otx_seg.datasets import Subset
from otx_seg.metrics.definitions import METRICS

REFUSED = [
    (["--metrics", "dice,bondary_iou"], "--metrics bondary_iou: unknown; did you mean 'boundary_iou'?"),
    (["--metrics", "dice,"], "--metrics: a name is missing; known: accuracy, boundary_iou, dice"),
    (["--without-labels", "poles"], "--without-labels poles: unknown; did you mean 'pole'?"),
    (["--without-labels", "pole,sky,red brick"], "no label other than the background is left to take a mean of"),
    (["--boundary-width", "0.01"], "--boundary-width: has no effect without --metrics boundary_iou"),
    (["--metrics", "boundary_iou", "--boundary-width", "2"], "above 0 and at most 1: 2"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_bad_input(otx: Any, tiny_ir: Path, tiny_data: Subset, arguments: list[str], message: str) -> None:
    verb = ["eval", "--test-data-roots", tiny_data.root, "--load-weights", tiny_ir, "--output", "out"]
    outcome = otx(*verb, *arguments)
    assert outcome.code == 2
    assert message in outcome.message
    assert outcome.message.count("Error:") == 1
    assert not Path("out").exists()


def test_chosen_metrics_are_shown_and_written(otx: Any, tiny_ir: Path, tiny_data: Subset) -> None:
    fixed = ["eval", "--test-data-roots", tiny_data.root, "--load-weights", tiny_ir, "--overwrite"]
    assert otx(*fixed, "--output", "usual").code == 0
    chosen = ["--metrics", "iou,boundary_iou,accuracy", "--without-labels", "sky", "--boundary-width", "0.05"]
    outcome = otx(*fixed, "--output", "chosen", *chosen)
    assert outcome.code == 0, outcome.err
    for told in ("boundary IoU", "sky (left out)", "mean over labels", "with background", "pixel accuracy"):
        assert told in outcome.out
    for untold in ("Dice ", "precision", "weighted by pixels"):
        assert untold not in outcome.out.split("lowest Dice")[0]
    usual, found = (json.loads(Path(folder, "performance.json").read_text()) for folder in ("usual", "chosen"))
    assert set(found) - set(usual) == {"metrics", "boundary_width", "without_labels"}
    assert set(usual) <= set(found)
    assert list(found["metrics"]) == ["iou", "boundary_iou", "accuracy"]
    assert found["metrics"]["iou"]["with_background"] == found["mIoU"]
    assert found["metrics"]["accuracy"] == found["aAcc"]
    assert (found["boundary_width"], found["without_labels"]) == (0.05, ["sky"])
    assert found["confusion"] == usual["confusion"]
    for name, score in usual["per_label"].items():
        assert found["per_label"][name].items() >= score.items()
    bands = {name: score["boundary_iou"] for name, score in found["per_label"].items()}
    assert found["metrics"]["boundary_iou"]["mean"] == pytest.approx((bands["red brick"] + bands["pole"]) / 2)
    assert 0.9 < min(bands.values()) <= 1  # the model drew these masks
    with Path("chosen/per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(tiny_data)
    assert list(rows[0]) == ["file", "dice", "iou", "boundary_iou", "accuracy"]
    assert all(0.9 < float(row["boundary_iou"]) <= 1 for row in rows)


def test_in_python(tiny_ir: Path, tiny_data: Subset, tmp_path: Path) -> None:
    found = otx_seg.evaluate(
        tiny_data.root,
        load_weights=tiny_ir,
        output=tmp_path / "out",
        metrics=["boundary_iou", "dice"],
        without_labels=["background"],
    )
    bands, dice = found.measured
    assert bands.metric is METRICS["boundary_iou"]
    assert (dice.mean, dice.with_background) == (found.scores.dice_average, None)
    assert found.scores.m_dice == found.scores.dice_average


def test_the_help_names_each_metric(otx: Any) -> None:
    outcome = otx("eval", "--help")
    assert outcome.code == 0
    text = " ".join(outcome.out.split())
    for metric in METRICS.values():
        assert f"{metric.name} {metric.help}" in text
