"""Heads, their outputs, and the losses that look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_network import small_template, with_further_outputs

from otx_seg import template
from otx_seg.errors import UsageError
from otx_seg.template.heads import heads_of, heads_with_labels, with_heads

HEAD = {"type": "FCNHead", "num_classes": 2}
LOSS = {"type": "CrossEntropy", "weight": 0.4}


def named(model: dict[str, Any]) -> list[tuple[str, str]]:
    return [(head.output, head.key) for head in heads_of(model)]


def test_the_names_of_outputs() -> None:
    assert named({"decode_head": HEAD}) == [("main", "decode_head")]
    assert named({"decode_head": HEAD, "auxiliary_head": HEAD})[1:] == [("aux_0", "auxiliary_head")]
    cascade = {"decode_head": [HEAD, HEAD, HEAD], "auxiliary_head": [HEAD, HEAD]}
    assert named(cascade) == [
        ("main", "decode_head.2"),
        ("decode_0", "decode_head.0"),
        ("decode_1", "decode_head.1"),
        ("aux_0", "auxiliary_head.0"),
        ("aux_1", "auxiliary_head.1"),
    ]
    assert named({}) == [("main", "decode_head")]


def test_which_heads_follow_the_labels() -> None:
    model = {"decode_head": HEAD, "auxiliary_head": [HEAD, {**HEAD, "num_classes": 1}]}
    assert [head.output for head in heads_with_labels(model)] == ["main", "aux_0"]


def test_changed_heads_leave_the_model_alone() -> None:
    model = with_further_outputs().model
    changed = with_heads(model, lambda head: {"was": head.output})
    assert changed["decode_head"] == [{"was": "decode_0"}, {"was": "main"}]
    assert changed["auxiliary_head"] == {"was": "aux_0"}
    assert changed["backbone"] == model["backbone"]
    assert model == with_further_outputs().model


def written(folder: Path, chosen: template.Template) -> Path:
    (folder / "mine.yaml").write_text(yaml.safe_dump(chosen.as_dict()))
    return folder / "mine.yaml"


def test_a_template_with_further_outputs_is_read_as_it_was_written(tmp_path: Path) -> None:
    chosen = with_further_outputs()
    assert template.load(written(tmp_path, chosen)) == chosen
    assert list(chosen.losses_by_output) == ["main", "decode_0", "aux_0"]
    assert chosen.losses_by_output["main"] == ({"type": "CrossEntropy", "weight": 1.0},)
    assert not chosen.lists_main_losses


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        ({"decode_0": [LOSS]}, r"model\.auxiliary_head: its output has no loss"),
        ([LOSS], r"its output has no loss"),
        ({"decode_0": [LOSS], "aux_0": []}, r"yaml: losses\.aux_0: \[\] is not usable: .* at least 1 item"),
        (
            {"decode_0": [LOSS], "aux_0": LOSS},
            r"yaml: losses\.aux_0: \{'type.* is not usable: Input should be a valid array",
        ),
        (
            {"decode_0": [LOSS], "aux_0": None},
            r"yaml: losses\.aux_0: None is not usable: Input should be a valid array",
        ),
        (
            {"decode_0": [LOSS], "aux_0": [LOSS], "aux_1": [LOSS]},
            r"losses\.aux_1: there is no such output.*main, decode_0",
        ),
    ],
)
def test_outputs_and_losses_go_together(losses: Any, says: str, tmp_path: Path) -> None:
    path = written(tmp_path, with_further_outputs())
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "losses": losses}))
    with pytest.raises(UsageError, match=says):
        template.load(path)


def test_a_loss_of_an_output_that_the_network_does_not_have(tmp_path: Path) -> None:
    path = written(tmp_path, small_template().model_copy(update={"losses": {"aux_0": (LOSS,)}}))
    with pytest.raises(UsageError, match=r"losses\.aux_0: there is no such output; this network has main"):
        template.load(path)
