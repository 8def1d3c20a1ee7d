"""Templates that give what differs from another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otx_seg.errors import UsageError
from otx_seg.template import load
from otx_seg.template.extending import Origin, read_template


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Writes a file of this name with this text."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_mappings_merge_and_lists_replace(write: Any) -> None:
    write("below.yaml", "a: {b: 1, c: {d: [1, 2, 3], e: 4}}\nf: 5\n")
    path = write("above.yaml", "extends: below.yaml\na: {c: {d: [9]}, g: null}\n")
    content, _ = read_template(path)
    assert content == {"a": {"b": 1, "c": {"d": [9], "e": 4}, "g": None}, "f": 5}


def test_arguments_of_another_class_replace_the_whole(write: Any) -> None:
    write("below.yaml", "optimizer: {type: AdamW, betas: [0.9, 0.999]}\nhead: {type: A, x: 1}\n")
    path = write("above.yaml", "extends: below.yaml\noptimizer: {type: SGD, momentum: 0.9}\nhead: {type: A, y: 2}\n")
    content, _ = read_template(path)
    assert content == {"optimizer": {"type": "SGD", "momentum": 0.9}, "head": {"type": "A", "x": 1, "y": 2}}


def test_what_is_known_of_one_file_is_not_known_of_another(write: Any) -> None:
    write("below.yaml", "pretrained: {url: a, sha256: x, licence: MIT}\nschedule: {poly_power: 1.0}\n")
    content, _ = read_template(write("above.yaml", "extends: below.yaml\npretrained: {url: b, licence: MIT}\n"))
    assert content["pretrained"] == {"url": "b", "licence": "MIT"}
    content, _ = read_template(write("none.yaml", "extends: below.yaml\npretrained: {}\nschedule: {cooldown: 0.1}\n"))
    assert content == {"pretrained": {}, "schedule": {"poly_power": 1.0, "cooldown": 0.1}}


def test_what_a_template_is_called_is_not_inherited(write: Any) -> None:
    path = write("mine.yaml", "extends: EfficientNet-Lite0-FPN\nhyper_parameters: {}\n")
    content, _ = read_template(path)
    assert not {"name", "id", "default", "extends"} & content.keys()
    with pytest.raises(UsageError, match=r"mine\.yaml: the key 'name' is missing"):
        load(path)


def test_a_template_of_ones_own_extends_a_shipped_one(write: Any) -> None:
    path = write(
        "mine.yaml",
        "extends: efficientnet-lite1-fpn\nname: Mine\nid: mine\n"
        "hyper_parameters: {learning_parameters: {ema_keep: 0.9}}\n",
    )
    mine, shipped = load(path), load("EfficientNet-Lite1-FPN")
    assert mine.hyper_parameters.learning_parameters.ema_keep == 0.9
    assert not mine.default
    changed = shipped.override({"learning_parameters.ema_keep": 0.9})
    assert mine == changed.model_copy(update={"name": "Mine", "id": "mine"})
    assert "extends" not in yaml.safe_load(mine.as_yaml())


@pytest.mark.parametrize(
    ("below", "above", "message"),
    [
        ("gradient_clip_norm: -1\n", "", r"below\.yaml: gradient_clip_norm"),
        ("", "gradient_clip_norm: -1\n", r"above\.yaml: gradient_clip_norm"),
        ("hyper_parameters: {learning_parameters: {nothing: 1}}\n", "", r"below\.yaml: unknown key"),
        (
            "schedule: {poly_power: 1e-1}\n",
            "schedule: {warmup_start: 0.1}\n",
            r"below\.yaml: schedule\.poly_power: YAML",
        ),
        ("model: {neck: {type: FPN}}\n", "model: {backbone: {arch: lite1}}\n", r"below\.yaml: model\.neck"),
        ("losses: {aux_7: [{type: Dice, weight: 1.0}]}\n", "", r"below\.yaml: losses\.aux_7: there is no such output"),
        (
            "search_space: {learning_parameters: {learning_rate: {low: 2.0, high: 1.0}}}\n",
            "",
            r"below\.yaml: search_space\.learning_parameters\.learning_rate: low",
        ),
    ],
)
def test_errors_name_the_file_in_which_the_value_stands(write: Any, below: str, above: str, message: str) -> None:
    write("below.yaml", f"extends: EfficientNet-Lite0-FPN\nname: Below\nid: below\n{below}")
    path = write("above.yaml", f"extends: below.yaml\nname: Above\nid: above\n{above}")
    with pytest.raises(UsageError, match=message):
        load(path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("EfficientNet-Lite0-FPM", r"mine\.yaml: extends: unknown template .*did you mean 'EfficientNet-Lite0-FPN'"),
        ("nowhere.yaml", r"mine\.yaml: extends: there is no file .*nowhere\.yaml"),
        ("[SegNext-t]", r"mine\.yaml: extends: .* is not the name of a template"),
        ("mine.yaml", r"mine\.yaml: extends: goes in a circle: .*mine\.yaml extends .*mine\.yaml$"),
    ],
)
def test_what_cannot_be_extended(write: Any, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(write("mine.yaml", f"extends: {value}\nname: Mine\nid: mine\n"))


def test_a_circle_of_several(write: Any) -> None:
    for name, following in (("a", "b"), ("b", "c"), ("c", "a")):
        write(f"{name}.yaml", f"extends: {following}.yaml\n")
    with pytest.raises(
        UsageError, match=r"c\.yaml: extends: goes in a circle: .*a\.yaml .*b\.yaml .*c\.yaml .*a\.yaml$"
    ):
        load(write("a.yaml", "extends: b.yaml\n"))


def test_where_values_stand() -> None:
    origin = Origin((("above", {"a": {"b": [1]}}), ("below", {"a": {"c": 1, "b": [1, 2]}, "d": 3})))
    known = {
        "a.b[0]": "above",
        "a.b.1": "below",
        "a.c": "below",
        "d": "below",
        "e": "above",
        "": "above",
        "a.x": "above",
    }
    assert {key: origin.of(key) for key in known} == known
