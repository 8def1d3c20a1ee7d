"""The metrics: formulas by hand, names, and one line of help each."""

from __future__ import annotations

import pytest

from otx_seg.metrics.definitions import METRICS, LabelCounts

COUNTS = LabelCounts(agreed=6, true=8, predicted=10)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dice", 12 / 18), ("iou", 6 / 12), ("precision", 0.6), ("recall", 0.75), ("boundary_iou", 6 / 12)],
)
def test_values_of_a_label(name: str, value: float) -> None:
    metric = METRICS[name]
    assert metric.of_label is not None
    assert metric.of_label(COUNTS) == pytest.approx(value)
    assert metric.of_label(LabelCounts(0, 0, 0)) == metric.of_label(LabelCounts(0, 0, 3)) == 0
    assert metric.over([COUNTS, LabelCounts(0, 4, 0)]) == pytest.approx(value / 2)
    assert metric.over([]) is None


@pytest.mark.parametrize(("name", "value"), [("fw_iou", (8 * 0.5 + 2 * 1.0) / 10), ("accuracy", 8 / 10)])
def test_values_of_all_labels(name: str, value: float) -> None:
    metric = METRICS[name]
    assert metric.of_label is None
    assert metric.over([COUNTS, LabelCounts(2, 2, 2)]) == pytest.approx(value)
    assert metric.over([LabelCounts(0, 0, 3)]) == 0
    assert metric.over([]) is None


def test_each_metric_is_described_and_of_one_kind() -> None:
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.help.endswith(".")
        assert len(metric.help) < 80
        assert (metric.of_label is None) != (metric.of_all is None)
        assert metric.column in (None, *METRICS)
