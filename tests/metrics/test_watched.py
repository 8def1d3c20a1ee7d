"""What networks are compared by: one figure, from scores and from the counts of each image alike."""

from __future__ import annotations

import pickle

import pytest
import torch

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import counts_by_label, scores
from otx_seg.metrics.paired import measured
from otx_seg.metrics.watched import DICE, WATCHED, metric_for, metric_named

LABELS = Labels(("background", "cat", "dog"), default_colors(3), 0)
# Two images of 100 pixels; no pixel of the truth is a dog.
IMAGES = torch.tensor([[[60, 5, 5], [10, 20, 0], [0, 0, 0]], [[50, 10, 0], [0, 40, 0], [0, 0, 0]]])
# In sum 110 of 130 pixels of background are found and 120 predicted, 60 of 70 of cat and 75 predicted.
EXPECTED = {
    "dice": 120 / 145,
    "dice_with_background": (220 / 250 + 120 / 145) / 2,
    "miou": (110 / 140 + 60 / 85) / 2,
    "fw_iou": (130 * 110 / 140 + 70 * 60 / 85) / 200,
    "accuracy": 170 / 200,
    "dice:cat": 120 / 145,
    "dice:background": 220 / 250,
    "dice:dog": 0.0,
}


@pytest.mark.parametrize("key", EXPECTED)
def test_the_value_from_scores_and_from_the_counts_of_images(key: str) -> None:
    metric = metric_for(key, LABELS)
    assert metric.of(scores(IMAGES.sum(dim=0), LABELS)) == pytest.approx(EXPECTED[key])
    counts = torch.stack([counts_by_label(image) for image in IMAGES])
    value, changes = measured(counts, metric, LABELS)
    assert value == pytest.approx(EXPECTED[key])
    assert changes.sum().item() == pytest.approx(0.0, abs=1e-12)
    # One more of the first image changes the value by about what that image is said to change.
    more = torch.cat((counts.repeat(500, 1, 1), counts[:1]))
    assert 500 * (measured(more, metric, LABELS)[0] - value) == pytest.approx(changes[0].item(), rel=0.01, abs=1e-9)


def test_every_metric_is_expected() -> None:
    assert set(WATCHED) < set(EXPECTED)
    assert WATCHED["dice"] is DICE


@pytest.mark.parametrize("key", ["", "dice:", "iou", "Dice"])
def test_an_unknown_one_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"known are dice, dice_with_background, miou, .* and dice: with the name of"):
        metric_named(key)


def test_a_label_that_the_data_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match=r"learning_parameters.watch=dice:cats: there is no label 'cats'; .*'cat'"):
        metric_for("dice:cats", LABELS)


def test_metrics_travel_between_processes() -> None:
    for key in EXPECTED:
        again = pickle.loads(pickle.dumps(metric_named(key)))
        assert again.of(scores(IMAGES.sum(dim=0), LABELS)) == pytest.approx(EXPECTED[key])
