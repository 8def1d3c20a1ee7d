from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as opset

from otx_seg.deployment.ignored_nodes import delicate_nodes, find_ignored_nodes, weighted_nodes
from otx_seg.errors import UsageError
from otx_seg.runtime.openvino_core import openvino_core

PATH = Path("model.xml")


@pytest.fixture
def graph(color_ir: Path) -> openvino.Model:
    return openvino_core().read_model(color_ir)


def test_patterns_are_looked_for_anywhere_in_a_name(graph: openvino.Model) -> None:
    assert find_ignored_nodes(graph, ["Conv"], [], PATH) == {"decide/Convolution", "spread/Convolution"}
    assert find_ignored_nodes(graph, [".*ecide.*"], [], PATH) == {"decide/Convolution"}
    assert find_ignored_nodes(graph, ["^gate/", "spread"], [], PATH) == {"gate/Multiply", "spread/Convolution"}
    assert find_ignored_nodes(graph, [], [], PATH) == set()


def test_types_and_patterns_together_name_each_node_once(graph: openvino.Model) -> None:
    found = find_ignored_nodes(graph, ["decide"], ["Convolution", "Multiply"], PATH)
    assert found == {"decide/Convolution", "gate/Multiply", "spread/Convolution"}


def test_a_pattern_that_matches_nothing_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"no node matches the ignored pattern 'hamburger'.*decide.*gate.*spread"):
        find_ignored_nodes(graph, ["decide", "hamburger"], [], PATH)


def test_a_type_that_does_not_occur_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"no node of the ignored type 'MVN'.*Convolution, Multiply, ReduceMean"):
        find_ignored_nodes(graph, [], ["MVN"], PATH)


def test_what_is_no_regular_expression_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"'\(' is not a regular expression"):
        find_ignored_nodes(graph, ["("], [], PATH)


def test_everything_but_layers_and_their_biases_is_delicate() -> None:
    opset = openvino.opset13
    image = opset.parameter((1, 3, 16, 16), np.float32, name="image")

    def stored(*shape: int) -> openvino.Node:
        # As an IR with half precision has them.
        return opset.convert(opset.constant(np.ones(shape, np.float16)), "f32")

    def convolution(x: openvino.Node, kernel: openvino.Node, stride: int, name: str) -> openvino.Node:
        return opset.convolution(x, kernel, [stride] * 2, [0, 0], [0, 0], [1, 1], name=name)

    # Multiplications per pixel of the image: 20 * 3 * 2 * 2 / 2**2, 8 * 20 / 8**2, 20 * 500 / 16**2.
    x = convolution(image, stored(20, 3, 2, 2), 2, name="much")
    x = opset.add(x, stored(1, 20, 1, 1), name="bias")
    x = opset.relu(x, name="relu")
    little = convolution(x, stored(8, 20, 1, 1), 4, name="little")
    pooled = opset.reduce_mean(x, opset.constant([2, 3]), keep_dims=False, name="mean")
    head = opset.matmul(pooled, stored(20, 500), False, False, name="head")
    attention = opset.matmul(pooled, opset.relu(pooled, name="relu2"), False, True, name="attention")
    # 20 * 20 at a quarter of the pixels would be much, but only one in twenty is no zero.
    sparse = np.eye(20, dtype=np.float32)[..., None, None]
    zeros = convolution(x, opset.constant(sparse), 1, name="mostly zeros")
    graph = openvino.Model([little, head, attention, zeros], [image], "kinds")

    assert {node.get_friendly_name() for node in weighted_nodes(graph)} == {"much", "little", "head", "mostly zeros"}
    delicate = delicate_nodes(graph, (16, 16))
    assert {"relu", "relu2", "little", "mean", "attention", "mostly zeros"} <= delicate
    assert not delicate & {"much", "bias", "head"}


def test_a_product_of_what_a_deep_network_computed_has_no_weights() -> None:
    image = opset.parameter([1, 1, 4, 4], np.float32)
    deep = image
    for _ in range(3000):
        deep = opset.relu(deep)
    stored = opset.convert(opset.constant(np.ones((4, 4), np.float16)), "f32")
    product = opset.matmul(opset.matmul(deep, deep, False, False), stored, False, False)
    found = weighted_nodes(openvino.Model([product], [image]))
    assert [node.get_friendly_name() for node in found] == [product.get_friendly_name()]
