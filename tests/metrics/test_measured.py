"""Values on a set of images by hand, with labels left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from anchors import X, Y
from metrics.test_counted_images import COUNTED, MATRICES

from otx_seg.labels import Labels, background_index, default_colors
from otx_seg.metrics.choice import USUAL
from otx_seg.metrics.confusion import confusion_matrix, scores, scores_from_json
from otx_seg.metrics.definitions import METRICS
from otx_seg.metrics.measured import Measured, measured, of_two_labels, usual

# Background: I=23 T=29 P=24; dent: I=5 T=6 P=7; rust: T=0 P=4.
CONFUSION = torch.stack(MATRICES).sum(0)
DICE = {"background": 46 / 53, "dent": 10 / 13}
IOU = {"background": 23 / 30, "dent": 5 / 8}


def test_a_metric_of_labels_has_two_means() -> None:
    assert measured(COUNTED, METRICS["iou"]) == Measured(
        METRICS["iou"], pytest.approx(IOU), pytest.approx(5 / 8), pytest.approx((23 / 30 + 5 / 8) / 2)
    )


def test_a_metric_of_all_labels_has_one_value() -> None:
    found = measured(COUNTED, METRICS["accuracy"])
    assert found == Measured(METRICS["accuracy"], {}, pytest.approx(28 / 35), None)
    assert found.as_json() == found.mean


def test_they_are_those_of_the_scores() -> None:
    found = scores(CONFUSION, COUNTED.labels).as_json()
    for metric in USUAL.shown:
        of_set = measured(COUNTED, metric)
        assert [found[key] for key in (metric.mean_key, metric.background_key) if key] == [
            value
            for key, value in ((metric.mean_key, of_set.mean), (metric.background_key, of_set.with_background))
            if key
        ]
        assert {name: values.get(metric.name) for name, values in found["per_label"].items()} == (
            of_set.per_label or dict.fromkeys(DICE)
        )


def test_the_usual_ones_of_scores_alone() -> None:
    found = {of_set.metric.name: of_set for of_set in usual(scores(CONFUSION, COUNTED.labels))}
    assert list(found) == ["dice", "iou", "precision", "recall", "fw_iou", "accuracy"]
    assert found["dice"].per_label == pytest.approx(DICE)
    assert (found["dice"].mean, found["dice"].with_background) == pytest.approx((10 / 13, (46 / 53 + 10 / 13) / 2))
    assert (found["iou"].mean, found["precision"].mean, found["precision"].with_background) == (None, None, None)
    assert found["fw_iou"].mean == pytest.approx((29 * 23 / 30 + 6 * 5 / 8) / 35)


def test_labels_left_out_enter_no_average() -> None:
    confusion = torch.tensor([[9, 1, 0], [2, 6, 2], [0, 5, 5]])  # dent: I=6 T=10 P=12; rust: I=5 T=10 P=7
    found = scores(confusion, COUNTED.labels, ["rust"])
    assert found.dice_average == pytest.approx(12 / 22)
    assert found.m_dice == pytest.approx((18 / 21 + 12 / 22) / 2)
    assert found.m_iou == pytest.approx((9 / 12 + 6 / 16) / 2)  # the 5 pixels of rust called dent are errors of dent
    assert found.mean_accuracy == pytest.approx((0.9 + 0.6) / 2)
    assert found.frequency_weighted_iou == pytest.approx((10 * 9 / 12 + 10 * 6 / 16) / 20)
    assert found.pixel_accuracy == pytest.approx(15 / 20)
    assert found.per_label == scores(confusion, COUNTED.labels).per_label
    assert found.as_json()["without_labels"] == ["rust"]
    assert scores_from_json(found.as_json()) == found


def test_images_without_a_label() -> None:
    left_out = replace(COUNTED, left_out=("rust",))
    assert left_out.of_images(METRICS["dice"]) == pytest.approx({"a.png": 6 / 9, "b.png": 1.0, "c.png": None})
    assert measured(replace(COUNTED, left_out=("dent",)), METRICS["iou"]).mean is None


def test_background_left_out() -> None:
    found = measured(replace(COUNTED, left_out=("background",)), METRICS["iou"])
    assert (found.mean, found.with_background) == (pytest.approx(5 / 8), None)
    assert scores(CONFUSION, COUNTED.labels, ["background"]).m_iou == pytest.approx(5 / 8)
    assert scores(CONFUSION, COUNTED.labels, ["background"]).pixel_accuracy == pytest.approx(5 / 6)


def test_boundary_bands_have_their_own_pixels() -> None:
    boundary = torch.tensor([[[4, 6, 5], [1, 2, 3], [0, 0, 0]], [[3, 6, 5], [0, 0, 1], [0, 0, 2]], [[0, 0, 0]] * 3])
    counted = replace(COUNTED, pixels=COUNTED.pixels._replace(boundary=boundary))
    found = measured(counted, METRICS["boundary_iou"])
    assert found.per_label == pytest.approx({"background": 7 / 15, "dent": 1 / 5})
    assert (found.mean, found.with_background) == pytest.approx((1 / 5, (7 / 15 + 1 / 5) / 2))
    assert counted.of_images(METRICS["boundary_iou"]) == pytest.approx({"a.png": 1 / 4, "b.png": 0.0, "c.png": None})


def test_two_labels_have_the_names_of_binary_segmentation() -> None:
    """The figures of a sigmoid of at least 0.5 of one channel of the anchors; the labels are in either order."""
    target, found = (Y == 1).to(torch.uint8), (X[:, 0] >= 0).to(torch.uint8)
    for names, flipped in ((("background", "crack"), 0), (("crack", "background"), 1)):
        labels = Labels(names, default_colors(2), background_index(names))
        values = of_two_labels(scores(confusion_matrix(found ^ flipped, target ^ flipped, 2), labels), labels)
        assert values["iou"] == pytest.approx({"target": 0.1999, "background": 0.4290, "mean": 0.3145}, abs=6e-5)
        assert values["dice"] == pytest.approx({"target": 0.3332, "background": 0.6005, "mean": 0.4668}, abs=6e-5)
    without = scores(confusion_matrix(found, torch.zeros_like(target), 2), labels)
    assert of_two_labels(without, labels)["dice"]["background"] is None
