"""Losses by name."""

from __future__ import annotations

import pytest

from otx_seg import catalogue
from otx_seg.errors import UsageError
from otx_seg.template import list_parameters, load
from otx_seg.template.losses import loss_names, losses_named


def test_every_loss_has_the_name_of_its_file() -> None:
    classes = catalogue.classes("otx_seg.losses")
    assert {loss["type"] for name in loss_names() for loss in losses_named(name)} == set(classes)
    assert {"cross_entropy", "dice", "cross_entropy_dice"} <= set(loss_names())
    assert losses_named("cross_entropy_dice") == (
        {"type": "CrossEntropy", "weight": 1.0},
        {"type": "Dice", "weight": 1.0},
    )


def test_the_schema_knows_them() -> None:
    template = load("SegNext-t")
    parameter = next(item for item in list_parameters(template) if item.name == "learning_parameters.loss")
    assert parameter.kind == "choice"
    assert parameter.possible == " | ".join(("auto", *loss_names()))
    with pytest.raises(UsageError, match=r"'dise' is not usable: there is none of that name; did you mean 'dice'"):
        template.override({"learning_parameters.loss": "dise"})
