"""Reading names of metrics and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.choice import USUAL, MetricChoice, choose_metrics

LABELS = Labels(("background", "dent", "scratch, deep"), default_colors(3), 0)


def choose(
    metrics: str | Sequence[str] | None = None,
    without: str | Sequence[str] | None = None,
    width: float | None = None,
    labels: Labels = LABELS,
) -> MetricChoice:
    return choose_metrics(metrics, without, width, labels)


def test_without_a_choice_it_is_the_usual_one() -> None:
    assert choose() == USUAL
    assert [metric.name for metric in USUAL.shown] == ["dice", "iou", "precision", "recall", "fw_iou", "accuracy"]
    assert not USUAL.needs_boundaries


@pytest.mark.parametrize("given", ["iou, boundary_iou,iou", ["iou", "boundary_iou"], ("iou", "boundary_iou")])
def test_names_of_metrics(given: str | Sequence[str]) -> None:
    found = choose(given)
    assert [metric.name for metric in found.shown] == ["iou", "boundary_iou"]
    assert found.needs_boundaries
    assert found.boundary_width == 0.02
    assert choose(given, width=0.005).boundary_width == 0.005


def test_names_of_labels() -> None:
    assert choose(without="dent,background").left_out == ("dent", "background")
    assert choose(without=["scratch, deep"]).left_out == ("scratch, deep",)
    assert choose(without="dent").shown == USUAL.shown


@pytest.mark.parametrize(
    ("metrics", "without", "width", "message"),
    [
        ("dice,bondary_iou", None, None, "--metrics bondary_iou: unknown; did you mean 'boundary_iou'?"),
        ("Precision", None, None, "--metrics Precision: unknown; did you mean 'precision'?"),
        ("hausdorff", None, None, "--metrics hausdorff: unknown; known: accuracy, boundary_iou, dice, fw_iou"),
        ("dice,", None, None, "--metrics: a name is missing; known: accuracy"),
        ([], None, None, "--metrics: a name is missing; known: accuracy"),
        (None, "dents", None, "--without-labels dents: unknown; did you mean 'dent'?"),
        (None, "dent,cow", None, "--without-labels cow: unknown; known: background, dent, scratch, deep"),
        (None, ["dent", "scratch, deep"], None, "--without-labels: no label other than the background is left"),
        ("dice", None, 0.1, "--boundary-width: has no effect without --metrics boundary_iou"),
        (None, None, 0.02, "--boundary-width: has no effect without --metrics boundary_iou"),
        ("boundary_iou", None, 0, "above 0 and at most 1: 0"),
        ("boundary_iou", None, 1.5, "above 0 and at most 1: 1.5"),
        ("boundary_iou", None, math.nan, "above 0 and at most 1: nan"),
    ],
)
def test_refused(
    metrics: str | Sequence[str] | None, without: str | Sequence[str] | None, width: float | None, message: str
) -> None:
    with pytest.raises(UsageError) as refused:
        choose(metrics, without, width)
    assert message in str(refused.value)


def test_where_no_label_is_background_one_has_to_be_left() -> None:
    labels = Labels(("sky", "road"), default_colors(2), None)
    assert choose(without="sky", labels=labels).left_out == ("sky",)
    with pytest.raises(UsageError, match="no label other than the background is left"):
        choose(without="sky,road", labels=labels)
