import math

import numpy as np
import pytest
import torch
from torch import Tensor

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.paired import paired_difference
from otx_seg.metrics.watched import DICE, WATCHED, WatchedMetric, metric_named

LABELS = Labels(("background", "a", "b"), default_colors(3), 0)


def _counts(seed: int, images: int, skill: float) -> Tensor:
    """Counts (N, 3, 3) of a network that finds about this share of each of three labels; the truth stays the same."""
    truth = np.random.default_rng(7).integers(200, 2000, (images, 3))
    generator = np.random.default_rng(seed)
    agreed = (truth * generator.uniform(skill - 0.1, skill + 0.1, truth.shape)).astype(int)
    predicted = agreed + generator.integers(0, 300, truth.shape)
    return torch.from_numpy(np.stack((agreed, truth, predicted), axis=2))


def _dice(counts: Tensor) -> float:
    agreed, true, predicted = counts.sum(dim=0).T.tolist()
    return float(np.mean([2 * i / (t + p) for i, t, p in zip(agreed, true, predicted, strict=True)][1:]))


def test_the_dice_of_two_networks() -> None:
    one, other = _counts(1, 60, 0.72), _counts(2, 60, 0.7)
    found = paired_difference(one, other, DICE, LABELS)
    assert found.difference == pytest.approx(_dice(one) - _dice(other), abs=1e-12)


@pytest.mark.parametrize("metric", [*WATCHED.values(), metric_named("dice:b")], ids=lambda metric: metric.key)
def test_the_error_is_that_of_other_images_drawn_from_the_same(metric: WatchedMetric) -> None:
    one, other = _counts(1, 60, 0.72), _counts(2, 60, 0.7)
    found = paired_difference(one, other, metric, LABELS)
    generator = np.random.default_rng(0)
    drawn = [generator.integers(0, 60, 60) for _ in range(2000)]
    shown = list(metric.counted(LABELS))
    values = [[float(metric.ratio(*c[index][:, shown].sum(0).double().T)) for c in (one, other)] for index in drawn]
    bootstrap = np.std([first - second for first, second in values])
    assert found.standard_error == pytest.approx(bootstrap, rel=0.07)


@pytest.mark.parametrize(("better", "is_noise"), [(0.7, True), (0.72, True), (0.9, False), (0.5, True)])
def test_what_is_noise(better: float, is_noise: bool) -> None:
    found = paired_difference(_counts(1, 12, better), _counts(2, 12, 0.7), DICE, LABELS)
    assert found.is_noise is is_noise
    assert ("within" if is_noise else "beyond") in str(found)


def test_one_image_proves_nothing() -> None:
    found = paired_difference(_counts(1, 1, 0.9), _counts(2, 1, 0.2), DICE, LABELS)
    assert math.isinf(found.standard_error)
    assert found.is_noise
    assert found.as_json() == {"difference": found.difference, "standard_error": None, "images": 1}
    assert "standard error unknown" in str(found)


def test_labels_that_the_truth_does_not_show_do_not_count() -> None:
    one, other = _counts(1, 9, 0.8), _counts(2, 9, 0.7)
    alone = paired_difference(one, other, metric_named("dice:a"), LABELS)
    for counts in (one, other):
        counts[:, 2, :2] = 0  # false alarms alone
    found = paired_difference(one, other, DICE, LABELS)
    assert (found.difference, found.standard_error) == pytest.approx((alone.difference, alone.standard_error))
    assert paired_difference(one, other, metric_named("dice:b"), LABELS).difference == 0
