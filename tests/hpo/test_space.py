"""Between which values a search looks."""

from __future__ import annotations

import pytest

from otx_seg.hpo.space import space_of, values_of
from otx_seg.template import find_templates, load
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, Range


@pytest.mark.parametrize("name", [found.name for found in find_templates()])
def test_the_ranges_of_a_shipped_template_hold_its_own_values(name: str) -> None:
    template = load(name)
    space = space_of(template, 1000)
    assert {LEARNING_RATE, BATCH_SIZE} <= space.keys()
    for parameter, value in values_of(template, space).items():
        assert space[parameter].low < value <= space[parameter].high


def test_without_ranges_the_learning_rate_is_searched_around_its_value() -> None:
    template = load("Lite-HRNet-s-mod2").model_copy(update={"search_space": {}})
    space = space_of(template.override({LEARNING_RATE: 0.002}), 1000)
    assert space.keys() == {LEARNING_RATE}
    assert (space[LEARNING_RATE].low, space[LEARNING_RATE].high) == pytest.approx((0.0001, 0.02))
    far_off = space_of(template.override({LEARNING_RATE: 1e-6}), 1000)[LEARNING_RATE]
    assert (far_off.low, far_off.high) == pytest.approx((1e-7, 0.01))
    assert space[LEARNING_RATE].log
    assert space_of(template.override({LEARNING_RATE: 0.05}), 1000)[LEARNING_RATE].high == 0.1


def test_no_batch_is_larger_than_the_data() -> None:
    template = load("Lite-HRNet-s-mod2").model_copy(
        update={"search_space": {"learning_parameters": {"batch_size": Range(low=4, high=16)}}}
    )
    assert space_of(template, 1000)[BATCH_SIZE] == Range(low=4, high=16)
    assert space_of(template, 6)[BATCH_SIZE] == Range(low=4, high=6)
    assert space_of(template, 4) == {}
