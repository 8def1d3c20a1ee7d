"""What stands behind the word `params`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from otx_seg.cli.parameters import as_words, parse_parameters
from otx_seg.cli.train import command as train
from otx_seg.errors import UsageError
from otx_seg.template import USED_BY, list_parameters, load
from otx_seg.template.plain_names import plainly


def test_both_forms() -> None:
    words = ["--a.b", "1", "--c.d=x=y", "--e.f", "-3"]
    assert parse_parameters(words) == {"a.b": "1", "c.d": "x=y", "e.f": "-3"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.b", "1"], r"'a.b' is not a --group.name, which is expected here"),
        (["--a.b"], r"--a.b needs a value"),
        (["--a.b", "--c.d", "1"], r"--a.b needs a value"),
        (["--a.b", "1", "--a.b=2"], r"--a.b is given twice"),
    ],
)
def test_what_cannot_be_parsed(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_parameters(words)


def test_a_command_line_is_made_again_from_what_it_was_parsed_into() -> None:
    words = ["SegNext-t", "--train-data-roots", "params", "-o", "a b", "--overwrite", "--seed", "0"]
    words += ["--tracker", "tensorboard", "--tracker=tensorboard"]
    words += ["params", "--a.b", "1", "--c.d=x=y"]
    parsed = train.make_context("train", list(words)).params
    again = as_words(train, parsed)
    assert train.make_context("train", list(again)).params == parsed
    assert "--deterministic" not in again
    assert as_words(train, train.make_context("train", []).params) == []


def test_the_word_may_be_left_out() -> None:
    words = ["--a.b", "1", "SegNext-t", "--c.d=x=y", "-o", "--e.f", "--overwrite", "params", "--g.h", "2"]
    parsed = train.make_context("train", list(words)).params
    assert parsed["parameters"] == {"a.b": "1", "c.d": "x=y", "g.h": "2"}
    assert (parsed["template"], parsed["output"], parsed["overwrite"]) == ("SegNext-t", "--e.f", True)
    with pytest.raises(UsageError, match=r"--a.b needs a value"):
        train.make_context("train", ["--a.b", "--overwrite"])


def test_help_lists_every_parameter_with_the_values_of_the_template(otx: Any) -> None:
    shown = otx("train", "SegNext-t", "params", "--help").out
    for parameter in list_parameters(load("SegNext-t")):
        assert f"--{parameter.names}  [{parameter.value}]" in shown
    assert "EfficientNet-Lite0-FPN" in otx("train", "params", "--help").out


@pytest.mark.parametrize("verb", ["eval", "optimize"])
def test_help_lists_what_the_command_uses_and_nothing_else(otx: Any, verb: str) -> None:
    shown = set(re.findall(r"^  --(\S+)", otx(verb, "params", "--help").out, re.MULTILINE))
    assert shown == set(map(plainly, USED_BY[verb]))


def test_a_wrong_name_gets_the_nearest_and_a_wrong_value_the_range(otx: Any) -> None:
    outcome = otx("train", "--train-data-roots", "x", "params", "--learning_parameters.batchsize=4")
    assert outcome.code == 2
    assert "did you mean 'learning_parameters.batch_size'" in outcome.message
    outcome = otx("train", "--train-data-roots", "x", "params", "--learning_parameters.batch_size", "0")
    assert outcome.code == 2
    assert "1 to 512" in outcome.message
