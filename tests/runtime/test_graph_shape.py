"""Which graphs are segmentation models, and what the others are told to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otx_seg.errors import UsageError
from otx_seg.runtime.graph_shape import Port, check_constants, check_graph, check_probabilities, size_to_run_at

IMAGE = Port((1, 3, 32, 48), "float32")
RESULT = Port((1, 5, 32, 48), "float32")
PATH = Path("model.xml")


def floats(*shape: int | None) -> Port:
    return Port(shape, "float32")


def test_a_segmentation_model() -> None:
    assert check_graph([IMAGE], [RESULT], PATH) == ((32, 48), 5)
    assert check_graph([floats(1, 3, 7, 3)], [floats(1, 4, 7, 3)], PATH) == ((7, 3), 4)
    assert check_graph([floats(1, 3, 5, 1)], [floats(1, 2, 5, 1)], PATH) == ((5, 1), 2)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([], "has 0 inputs: it takes nothing and gives"),
        ([IMAGE, floats(1, 2)], r"has 2 inputs: it takes float32 \(1, 3, 32, 48\) and float32 \(1, 2\) and gives"),
        ([floats(5, 7)], "takes no image"),
        ([Port(None, "float32")], "takes no image: it takes float32 of any shape"),
        ([floats(1, 3, None, None)], r"takes images of no fixed size: it takes float32 \(1, 3, \?, \?\)"),
        ([floats(1, 32, 48, 3)], "takes images whose channels come last"),
        ([floats(1, 32, 48, 1)], "takes images whose channels come last"),
        ([floats(1, 1, 32, 48)], "takes images of one channel"),
        ([floats(1, 4, 32, 48)], "takes images of 4 channels"),
        ([floats(8, 3, 32, 48)], "takes 8 images at a time"),
        ([Port((1, 3, 32, 48), "uint8")], "takes numbers of the type uint8"),
    ],
)
def test_inputs_that_are_no_image(inputs: list[Port], reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^model\.xml: {reason}.*Needed is a model for semantic segmentation"):
        check_graph(inputs, [RESULT], PATH)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ([floats(1, 1000)], "gives values for the image as a whole: it looks like a model for classification"),
        ([floats(1, 7)], "gives values for the image as a whole"),
        ([floats(1, 10, 1, 1)], "gives values for the image as a whole"),
        ([floats(100, 5), Port((100,), "int64")], "gives lists, such as boxes: it looks like a model for object det"),
        ([floats(None, 5)], "gives lists"),
        ([floats(1, 84, 8400)], "gives lists"),
        ([floats(1, 1, 200, 7)], "gives lists"),
        ([RESULT, floats(1, 256)], r"has 2 outputs.*gives float32 \(1, 5, 32, 48\) and float32 \(1, 256\)"),
        ([floats(1, 5, None, None)], "gives results of no fixed size"),
        ([Port(None, "float32")], "gives results of no fixed size"),
        ([Port((1, 32, 48), "int64")], "gives a single value for each pixel"),
        ([floats(1, 1, 32, 48)], "gives a single value for each pixel"),
        ([floats(1, 32, 48, 5)], "gives results whose channels come last"),
        ([floats(1, 5, 8, 12)], "gives 8 x 12 values for images of 32 x 48 pixels"),
        ([floats(1, 300, 32, 48)], "gives values for 300 labels"),
        (
            [
                floats(
                    1,
                )
            ],
            "gives no value for each label and pixel",
        ),
        ([Port((1, 5, 32, 48), "float16")], "gives numbers of the type float16"),
    ],
)
def test_outputs_that_are_no_probabilities(outputs: list[Port], reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^model\.xml: {reason}"):
        check_graph([IMAGE], outputs, PATH)


def probabilities() -> np.ndarray:
    values = np.random.default_rng(1).random((1, 5, 4, 6), np.float32)
    return values / values.sum(axis=1, keepdims=True)


def test_probabilities() -> None:
    seen = []

    def give(image: np.ndarray) -> np.ndarray:
        seen.append(image)
        return probabilities()

    check_probabilities(give, (4, 6), PATH)
    (image,) = seen
    assert (image.shape, image.dtype) == ((1, 3, 4, 6), np.uint8)
    assert len(np.unique(image)) > 10


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.log(probabilities()) + 1, r"values from -[\d.]+ to [\d.]+, as a network does before its softmax"),
        (probabilities() * 9, r"values from [\d.]+ to [\d.]+, as a network does before its softmax"),
        (np.full((1, 5, 4, 6), 0.5, np.float32), "values that add up to 2.5 to 2.5 over the labels, not to 1"),
    ],
)
def test_other_values(values: np.ndarray, reason: str) -> None:
    with pytest.raises(UsageError, match=rf"^model\.xml: gives {reason}; probabilities are needed"):
        check_probabilities(lambda image: values, (4, 6), PATH)


@pytest.mark.parametrize("values", [[1, np.nan], [1, np.inf, 0], [np.nan], [0, np.nan]])
def test_constants_that_are_no_numbers(values: list[float]) -> None:
    constants = [("a", np.ones(3, np.float32)), ("b", np.array(values, np.float16))]
    with pytest.raises(UsageError, match=r"^model\.xml: 1 of \d values of the constant 'b' are NaN or infinite"):
        check_constants(constants, PATH)


def test_constants_that_are_limits_and_masks() -> None:
    check_constants(
        [("a", np.array(-np.inf, np.float32)), ("b", np.array([[0, -np.inf], [np.inf, 0]], np.float32))], PATH
    )


def test_a_graph_that_is_of_another_size_than_it_says() -> None:
    for image in (IMAGE, Port((1, 3, None, 48), "float32")):
        assert size_to_run_at([image], (32, 48), PATH) == (32, 48)
        with pytest.raises(UsageError, match=r"^model\.xml: takes images of .* but says 32 x 64 \(model_info"):
            size_to_run_at([image], (32, 64), PATH)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(value: float) -> None:
    with pytest.raises(UsageError, match=r"^model\.xml: gives values that are NaN or infinite"):
        check_probabilities(lambda image: np.full((1, 5, 4, 6), value, np.float32), (4, 6), PATH)


def test_a_model_that_fails() -> None:
    def give(image: np.ndarray) -> np.ndarray:
        raise RuntimeError("\n\nshapes differ\nat a.cpp:7")

    with pytest.raises(UsageError, match=r"^model\.xml: fails on an image of 4 x 6 pixels \(shapes differ\)$"):
        check_probabilities(give, (4, 6), PATH)
