"""What a search leaves to the training; the numbers are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_network import small_template

from otx_seg.verbs.hpo.length import minutes_of, with_time_left
from otx_seg.verbs.hpo.settings import Settings
from otx_seg.verbs.plan import Plan, Roots


def plan(minutes: float, ratio: float) -> Plan:
    template = small_template().override({"learning_parameters.max_minutes": minutes})
    roots = Roots(Path(), None, None, None)
    return Plan(template, "", roots, 42, None, None, None, None, Settings(ratio, None))


@pytest.mark.parametrize(
    ("minutes", "ratio", "lost_s", "left"),
    [
        (10.0, 1.5, 120.0, 13.0),  # 15 minutes in all, and two of them lost
        (10.0, 1.5, 0.0, 15.0),
        (10.0, 1.2, 150.0, 10.0),  # trials may end a little late: the training has what was promised
        (0.0, 2.0, 100.0, 0.0),  # epochs end it
    ],
)
def test_the_training_gets_what_the_search_does_not_need(
    minutes: float, ratio: float, lost_s: float, left: float
) -> None:
    assert minutes_of(with_time_left(plan(minutes, ratio), lost_s)) == pytest.approx(left)
