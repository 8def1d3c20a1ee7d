"""What a report says first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from run_records import TRAINED, evaluated, labels_called, models, record

from otx_seg.report.run_report.verdict import largest_confusions, mostly_taken_for, next_step, verdict

TWO = labels_called("cat", "dog")
GOOD = [[90, 0, 0], [2, 98, 0], [0, 1, 99]]


def test_the_largest_confusions_are_those_with_the_most_pixels() -> None:
    found = evaluated(TWO, [[1000, 4, 0], [30, 60, 10], [0, 50, 50]])
    told = [(each.true, each.predicted, each.pixels, each.share) for each in largest_confusions(found)]
    # 4 of 1004 pixels are too few to speak of.
    assert told == [("dog", "cat", 50, 0.5), ("cat", "background", 30, 0.3), ("cat", "dog", 10, 0.1)]
    assert mostly_taken_for(found)["dog"].predicted == "cat"
    assert mostly_taken_for(found)["cat"].predicted == "background"  # not dog, with fewer pixels
    assert "background" not in mostly_taken_for(found)
    many = evaluated(TWO, [[50, 25, 25], [30, 60, 10], [0, 50, 50]])
    assert [each.pixels for each in largest_confusions(many)] == [50, 30, 25]


def test_the_verdict_tells_score_and_cost() -> None:
    found = evaluated(TWO, GOOD)
    dice = (2 * 98 / (100 + 99) + 2 * 99 / (100 + 99)) / 2
    assert verdict(record(evaluated=found)) == (
        f"Small (weights.pth) reaches a Dice of {dice:.3f} on 30 images, in 12.3 ms per image."
    )
    trained = verdict(record("train", evaluated=found, trained=TRAINED))
    assert trained == f"Small reaches a Dice of {dice:.3f} on 30 images, after 1:05 (4 epochs, 120 steps)."
    whole = verdict(record("run", evaluated=found, trained=TRAINED, models=models(0.99, 0.99, 0.98)))
    assert whole == (
        f"Small as OpenVINO INT8 reaches a Dice of {dice:.3f} on 30 images, 1.00 points below the same model in "
        "torch; it takes 2.0 ms per image, 4.0 times as fast, and 1.0 MB instead of 4.0."
    )
    unchanged = record("run", evaluated=found, trained=TRAINED, models=models(0.99, 0.99, 0.99))
    assert "on 30 images, as the same model in torch; it takes" in verdict(unchanged)
    backbone = replace(TRAINED, backbone=True)
    assert "has no labels yet" in verdict(record("train", trained=backbone))
    assert "--load-weights" in next_step(record("train", trained=backbone), [])
    begun_earlier = record("train", trained=TRAINED)  # with a version that kept no scores of each image
    assert verdict(begun_earlier) == "Small was trained in 1:05 (4 epochs, 120 steps)."
    assert "otx eval" in next_step(begun_earlier, [])


@pytest.mark.parametrize(
    ("confusion", "advice"),
    [
        ([[90, 0, 0], [10, 90, 0], [30, 0, 0]], "No pixel was predicted as dog: train longer"),
        (
            [[90, 0, 0], [80, 20, 0], [0, 0, 99]],
            "label is cat, Dice 0.33, 80 % of its pixels are taken for back",
        ),
        ([[90, 0, 0], [30, 70, 0], [0, 0, 99]], "cat gains most, its Dice is 0.82"),
        (GOOD, "Export it with `otx export`"),
        ([[90, 0, 0], [0, 0, 0], [0, 0, 0]], "show no label but background"),
    ],
)
def test_the_next_step_is_the_first_thing_that_is_wrong(confusion: list[list[int]], advice: str) -> None:
    assert advice in next_step(record(evaluated=evaluated(TWO, confusion)), [])


def test_the_next_step_follows_from_the_whole_job() -> None:
    good = evaluated(TWO, GOOD)
    costly = record("run", evaluated=good, models=models(0.9, 0.9, 0.85))
    assert "Quantisation costs 5.0 points" in next_step(costly, [])
    rising = [{"step": step, "score": score} for step, score in ((10, 0.1), (20, 0.4), (30, 0.6))]
    assert "train longer" in next_step(record("train", evaluated=good), rising)
    level = [{"step": step, "score": score} for step, score in ((10, 0.6), (20, 0.6), (30, 0.605))]
    assert "Export it" in next_step(record("train", evaluated=good), level)
    few = evaluated(TWO, GOOD, images=3)
    assert next_step(record(evaluated=few), []).startswith("3 images say little")
    assert "ready to be handed over" in next_step(record("run", evaluated=good, models=models(0.9, 0.9, 0.9)), [])


def test_a_label_that_is_never_taken_for_another_gets_its_own_advice() -> None:
    # What is predicted as cat is background: its Dice is low without a pixel of it being missed.
    found = evaluated(labels_called("cat"), np.array([[10, 90], [0, 10]]))
    assert next_step(record(evaluated=found), []).startswith("The weakest label is cat, Dice 0.18: label more images")
