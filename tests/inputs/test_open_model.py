"""A model that is opened with what its template says."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.inputs.open_model import open_model
from otx_seg.labels import given_labels

SIZE = "learning_parameters.inference_batch_size"


def test_what_the_template_says_can_be_replaced(tiny_weights: Path) -> None:
    predictor, settings = open_model(tiny_weights, None, None, {SIZE: 3}, (SIZE,))
    assert settings.hyper_parameters.learning_parameters.inference_batch_size == 3
    assert predictor.labels.names[0] == "background"


def test_a_parameter_that_the_command_does_not_use(tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match=rf"'a\.b' has no effect here; this command uses {SIZE}"):
        open_model(tiny_weights, None, None, {"a.b": 1}, (SIZE,))


def test_another_template_than_that_of_the_weights(tiny_weights: Path) -> None:
    with pytest.raises(UsageError, match=r"made from"):
        open_model(tiny_weights, "SegNext-t", None, None, ())


def test_labels_are_given_as_a_list_or_a_text() -> None:
    assert given_labels(None) is None
    for labels in ("sky, sea", ["sky", "sea"]):
        found = given_labels(labels)
        assert found is not None
        assert found.names == ("sky", "sea")
