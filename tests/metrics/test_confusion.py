"""Scores against numbers worked out by hand, and the counting against a loop over pixels."""

from __future__ import annotations

import json

import pytest
import torch

from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import Scores, confusion_matrix, scores, scores_from_json


def make_labels(*names: str, background: int | None = 0) -> Labels:
    return Labels(names, default_colors(len(names)), background)


# Truth and prediction of two rows of six pixels. Label "rust" (3) occurs only where pixels are ignored, three of them.
TARGET = torch.tensor([[0, 0, 0, 1, 1, 255], [2, 2, 2, 2, 255, 255]], dtype=torch.uint8)
PREDICTION = torch.tensor([[0, 0, 1, 1, 0, 3], [2, 2, 2, 1, 0, 2]], dtype=torch.uint8)
LABELS = make_labels("background", "dent", "scratch", "rust")


def test_counts_worked_out_by_hand() -> None:
    expected = [[2, 1, 0, 0], [1, 1, 0, 0], [0, 1, 3, 0], [0, 0, 0, 0]]
    assert confusion_matrix(PREDICTION, TARGET, 4).tolist() == expected


def test_scores_worked_out_by_hand() -> None:
    result = scores(confusion_matrix(PREDICTION, TARGET, 4), LABELS)
    # background: I=2 T=3 P=3; dent: I=1 T=2 P=3; scratch: I=3 T=4 P=3
    assert {name: score.dice for name, score in result.per_label.items()} == pytest.approx(
        {"background": 4 / 6, "dent": 2 / 5, "scratch": 6 / 7}
    )
    assert {name: score.iou for name, score in result.per_label.items()} == pytest.approx(
        {"background": 2 / 4, "dent": 1 / 4, "scratch": 3 / 4}
    )
    assert result.dice_average == pytest.approx((2 / 5 + 6 / 7) / 2)
    assert result.m_dice == pytest.approx((4 / 6 + 2 / 5 + 6 / 7) / 3)
    assert result.m_iou == pytest.approx(0.5)
    assert result.pixel_accuracy == pytest.approx(6 / 9)
    assert result.absent == ("rust",)
    assert (result.per_label["dent"].pixels_true, result.per_label["dent"].pixels_predicted) == (2, 3)
    assert {name: score.precision for name, score in result.per_label.items()} == pytest.approx(
        {"background": 2 / 3, "dent": 1 / 3, "scratch": 1}
    )
    assert {name: score.recall for name, score in result.per_label.items()} == pytest.approx(
        {"background": 2 / 3, "dent": 1 / 2, "scratch": 3 / 4}
    )
    assert result.mean_accuracy == pytest.approx((2 / 3 + 1 / 2 + 3 / 4) / 3)
    assert result.frequency_weighted_iou == pytest.approx((3 * 2 / 4 + 2 * 1 / 4 + 4 * 3 / 4) / 9)


def test_a_false_alarm_leaves_the_means_where_they_are() -> None:
    labels = make_labels("cat", "dog", "cow", background=None)
    before = scores(torch.tensor([[17, 3, 0], [3, 17, 0], [0, 0, 0]]), labels)
    assert (before.dice_average, before.m_dice) == pytest.approx((0.85, 0.85))  # 2 * 17 / (20 + 20), twice
    assert (before.absent, before.false_alarms) == (("cow",), {})
    # One of the pixels of a cat that were taken for a dog now is for a cow. Cat: I=17 T=20 P=20; dog: I=17 T=20 P=19.
    after = scores(torch.tensor([[17, 2, 1], [3, 17, 0], [0, 0, 0]]), labels)
    assert after.dice_average == pytest.approx((0.85 + 34 / 39) / 2)
    assert after.m_iou == pytest.approx((17 / 23 + 17 / 22) / 2)
    assert after.pixel_accuracy == before.pixel_accuracy == pytest.approx(34 / 40)
    assert list(after.per_label) == ["cat", "dog"]
    assert (after.absent, after.false_alarms) == (("cow",), {"cow": 1})


def test_one_wrong_pixel_in_a_million_costs_what_it_is() -> None:
    result = scores(torch.tensor([[999_999, 1], [0, 0]]), make_labels("cat", "dog", background=None))
    assert result.dice_average == pytest.approx(2 * 999_999 / 1_999_999)  # 1.0 but for the pixel that the cat lost
    assert result.pixel_accuracy == pytest.approx(0.999999)
    assert (result.absent, result.false_alarms) == (("dog",), {"dog": 1})


def test_only_background_gives_zero_and_lists_the_rest() -> None:
    result = scores(torch.tensor([[9, 0], [0, 0]]), make_labels("background", "dent"))
    assert (result.dice_average, result.m_dice, result.pixel_accuracy) == (0.0, 1.0, 1.0)
    assert (result.absent, result.false_alarms) == (("dent",), {})
    result = scores(torch.tensor([[9, 1], [0, 0]]), make_labels("background", "dent"))
    assert (result.dice_average, result.m_dice, result.pixel_accuracy) == pytest.approx((0.0, 18 / 19, 0.9))
    assert result.false_alarms == {"dent": 1}


def test_a_background_that_the_truth_lacks_enters_no_mean_either() -> None:
    result = scores(torch.tensor([[0, 0], [2, 8]]), make_labels("background", "dent"))
    assert result.dice_average == result.m_dice == pytest.approx(16 / 18)
    assert (result.absent, result.false_alarms) == (("background",), {"background": 2})


def test_without_background_every_label_enters_the_average() -> None:
    result = scores(torch.tensor([[4, 0], [4, 4]]), make_labels("sky", "road", background=None))
    assert result.dice_average == pytest.approx((8 / 12 + 8 / 12) / 2)
    assert result.dice_average == result.m_dice


def test_everything_ignored() -> None:
    ignored = torch.full((2, 3), 255, dtype=torch.uint8)
    result = scores(confusion_matrix(torch.zeros_like(ignored), ignored, 4), LABELS)
    assert result == Scores(0.0, 0.0, 0.0, 0.0, {}, LABELS.names, {})


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.int64])
@pytest.mark.parametrize("classes", [1, 2, 11, 255])
def test_counts_are_those_of_a_loop_over_pixels(kind: torch.dtype, classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    prediction = torch.randint(0, classes, (3, 20, 30), generator=generator).to(kind)
    target = torch.randint(0, classes, (3, 20, 30), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = 255
    expected = torch.zeros(classes, classes, dtype=torch.int64)
    for true, predicted in zip(target.flatten().tolist(), prediction.flatten().tolist(), strict=True):
        if true != 255:
            expected[true, predicted] += 1
    assert torch.equal(confusion_matrix(prediction, target.to(kind), classes), expected)


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (torch.tensor([0, 1]), torch.tensor([0, 7]), "target contains the value 7"),
        (torch.tensor([0, 1]), torch.tensor([0, 300]), "target contains the value 300"),
        (torch.tensor([0, 5]), torch.tensor([0, 1]), "prediction contains the value 5"),
        (torch.tensor([0, 1, 1]), torch.tensor([0, 1]), "differ in shape"),
    ],
)
def test_values_that_are_no_label_are_refused(prediction: torch.Tensor, target: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(prediction, target, 3)


def test_metrics_of_a_published_matrix() -> None:
    """The confusion matrix of a fixed input, and what another toolkit makes of it."""
    matrix = torch.tensor([[539, 130, 131, 544], [542, 134, 126, 542], [543, 131, 136, 534], [529, 137, 136, 542]])
    found = scores(matrix, make_labels("a", "b", "c", "d", background=None))
    assert found.pixel_accuracy == pytest.approx(0.251302, abs=1e-6)
    assert found.mean_accuracy == pytest.approx(0.251302, abs=1e-6)
    assert found.m_iou == pytest.approx(0.130074, abs=1e-6)
    assert found.m_dice == pytest.approx(0.226382, abs=1e-6)


def test_a_label_that_is_never_predicted_has_no_precision() -> None:
    found = scores(torch.tensor([[5, 0], [3, 0]]), make_labels("background", "dent")).per_label["dent"]
    assert (found.precision, found.recall) == (0.0, 0.0)


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit 4 labels"):
        scores(torch.zeros(3, 3, dtype=torch.int64), LABELS)


def test_json_keys() -> None:
    written = scores(confusion_matrix(PREDICTION, TARGET, 4), LABELS).as_json()
    json.dumps(written)
    averages = ["Dice Average", "mDice", "mIoU", "fwIoU", "aAcc", "mAcc"]
    assert list(written) == [*averages, "per_label", "absent_labels", "false_alarms"]
    assert list(written["per_label"]["dent"]) == [
        "dice", "iou", "pixels_true", "pixels_predicted", "precision", "recall",
    ]  # fmt: skip
    assert written["absent_labels"] == ["rust"]


def test_scores_are_read_as_they_were_written() -> None:
    found = scores(confusion_matrix(PREDICTION, TARGET, 4), LABELS)
    assert scores_from_json({**json.loads(json.dumps(found.as_json())), "images": 1}) == found
    of_an_earlier_version = {name: value for name, value in found.as_json().items() if name != "false_alarms"}
    assert scores_from_json(of_an_earlier_version) == found
    with pytest.raises(KeyError):
        scores_from_json({"mDice": 1.0})
