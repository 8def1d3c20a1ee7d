"""Mean and spread over folds, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import scores
from otx_seg.metrics.fold_scores import Spread, over_folds

LABELS = Labels(("background", "dent", "rust"), default_colors(3), 0)
FIRST = scores(torch.tensor([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), LABELS)  # dent: Dice 6/9, IoU 3/6
SECOND = scores(torch.tensor([[8, 0, 4], [0, 2, 0], [2, 0, 2]]), LABELS)  # dent: 1, 1; rust: Dice 4/10, IoU 2/8
BACKGROUND = scores(torch.tensor([[9, 1, 0], [0, 0, 0], [0, 0, 0]]), LABELS)


def test_a_label_counts_in_the_folds_that_show_it() -> None:
    found = over_folds([FIRST, SECOND, BACKGROUND], LABELS)
    dent, rust = found.per_label["dent"], found.per_label["rust"]
    # (2/3 + 1) / 2, and |1 - 2/3| / sqrt(2)
    assert dent["dice"] == Spread(pytest.approx(5 / 6), pytest.approx(1 / 3 / 2**0.5), 2)
    assert dent["iou"] == Spread(pytest.approx(3 / 4), pytest.approx(1 / 2 / 2**0.5), 2)
    assert dent["precision"] == Spread(pytest.approx(0.8), pytest.approx(0.4 / 2**0.5), 2)
    assert dent["recall"] == Spread(pytest.approx(7 / 8), pytest.approx(1 / 4 / 2**0.5), 2)
    assert rust["dice"] == Spread(pytest.approx(0.4), None, 1)


def test_a_fold_of_background_alone_has_no_dice_average() -> None:
    found = over_folds([FIRST, SECOND, BACKGROUND], LABELS).averages
    assert found["Dice Average"] == Spread(pytest.approx((2 / 3 + 0.7) / 2), pytest.approx(0.1 / 3 / 2**0.5), 2)
    assert found["aAcc"].folds == found["mDice"].folds == 3
    # Shares of right pixels: 9/12, 12/18 and 9/10; their mean is 0.7722, their squared deviations 0.027963 together.
    assert found["aAcc"].mean == pytest.approx((9 / 12 + 12 / 18 + 9 / 10) / 3)
    assert found["aAcc"].standard_deviation == pytest.approx((0.027963 / 2) ** 0.5, rel=1e-3)
    assert over_folds([BACKGROUND, BACKGROUND], LABELS).averages["Dice Average"] == Spread(0.0, None, 0)


def test_plain_values() -> None:
    plain = over_folds([FIRST, SECOND], LABELS).as_json()
    assert plain["per_label"]["rust"]["dice"] == {"mean": 0.4, "standard_deviation": None, "folds": 1}
    assert set(plain["averages"]) == {"Dice Average", "mDice", "mIoU", "fwIoU", "aAcc", "mAcc"}
