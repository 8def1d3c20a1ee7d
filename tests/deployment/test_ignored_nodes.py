from pathlib import Path

import openvino
import pytest

from otx_seg.deployment.ignored_nodes import find_ignored_nodes
from otx_seg.errors import UsageError

PATH = Path("model.xml")


@pytest.fixture
def graph(color_ir: Path) -> openvino.Model:
    return openvino.Core().read_model(color_ir)


def test_patterns_are_looked_for_anywhere_in_a_name(graph: openvino.Model) -> None:
    assert find_ignored_nodes(graph, ["Conv"], [], PATH) == ["decide/Convolution", "spread/Convolution"]
    assert find_ignored_nodes(graph, [".*ecide.*"], [], PATH) == ["decide/Convolution"]
    assert find_ignored_nodes(graph, ["^gate/", "spread"], [], PATH) == ["gate/Multiply", "spread/Convolution"]
    assert find_ignored_nodes(graph, [], [], PATH) == []


def test_types_and_patterns_together_name_each_node_once(graph: openvino.Model) -> None:
    found = find_ignored_nodes(graph, ["decide"], ["Convolution", "Multiply"], PATH)
    assert found == ["decide/Convolution", "gate/Multiply", "spread/Convolution"]


def test_a_pattern_that_matches_nothing_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"no node matches the ignored pattern 'hamburger'.*decide.*gate.*spread"):
        find_ignored_nodes(graph, ["decide", "hamburger"], [], PATH)


def test_a_type_that_does_not_occur_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"no node of the ignored type 'MVN'.*Convolution, Multiply, ReduceMean"):
        find_ignored_nodes(graph, [], ["MVN"], PATH)


def test_what_is_no_regular_expression_is_refused(graph: openvino.Model) -> None:
    with pytest.raises(UsageError, match=r"'\(' is no regular expression"):
        find_ignored_nodes(graph, ["("], [], PATH)
