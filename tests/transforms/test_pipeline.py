"""Building a pipeline from a template's steps."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from otx_seg.errors import UsageError
from otx_seg.transforms.pipeline import build_pipeline

VIEW: dict[str, Any] = {
    "type": "RandomView",
    "scale_range": [0.5, 2.0],
    "single_label_limit": 0.75,
    "flip_probability": 0.5,
    "rotation_degrees": 10,
    "rotation_probability": 0.5,
}
COLORS: dict[str, Any] = {
    "type": "MaskedPhotometric",
    "probability": 1.0,
    "brightness": 32,
    "contrast": [0.5, 1.5],
    "saturation": [0.5, 1.5],
    "hue": 18,
}
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (60, 80, 3), np.uint8)
MASK = RNG.integers(0, 3, (60, 80), np.uint8)


def test_steps_run_in_order_at_the_input_size() -> None:
    image, mask = build_pipeline([VIEW, COLORS], (32, 48), "t.yaml")(IMAGE, MASK, np.random.default_rng(3))
    assert (image.shape, mask.shape) == ((32, 48, 3), (32, 48))
    rng = np.random.default_rng(3)
    first = build_pipeline([VIEW], (32, 48), "t.yaml")(IMAGE, MASK, rng)
    assert np.array_equal(first[1], mask)
    assert not np.array_equal(first[0], image)


def test_a_pipeline_survives_pickling() -> None:
    pipeline = build_pipeline([VIEW, COLORS], (32, 48), "t.yaml")
    copy = pickle.loads(pickle.dumps(pipeline))
    results = [run(IMAGE, MASK, np.random.default_rng(3))[0] for run in (pipeline, copy)]
    assert np.array_equal(*results)


def test_building_leaves_the_steps_as_they_are() -> None:
    steps = [dict(VIEW)]
    build_pipeline(steps, (32, 48), "t.yaml")
    assert steps == [VIEW]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{**VIEW, "type": "RandomVeiw"}], r"t.yaml: train_pipeline\[0\]: unknown type 'RandomVeiw'; did you mean 'Ra"),
        ([VIEW, {"brightness": 3}], r"train_pipeline\[1\]: unknown type None"),
        ([{**VIEW, "angle": 3}], r"train_pipeline\[0\]: RandomView does not accept .*'angle'"),
        ([{**VIEW, "size": [3, 3]}], r"train_pipeline\[0\]: remove `size`"),
        ([VIEW, {**COLORS, "hue": 500}], r"train_pipeline\[1\]: MaskedPhotometric: hue must be a number in 0..180"),
        ([COLORS], "no step brings images to the input size"),
        ([], "no step brings images to the input size"),
    ],
)
def test_what_does_not_fit_is_refused_by_place(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_pipeline(steps, (32, 48), "t.yaml: train_pipeline")
