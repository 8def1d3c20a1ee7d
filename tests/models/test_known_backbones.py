"""Backbones: what is listed is true, and a head fits what it is put on."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmseg.registry import MODELS

from otx_seg import template
from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.fit import Level, fitting_levels, has_idle_parameters, levels_of, try_network, with_backbone
from otx_seg.models.known_backbones import choose_backbone, constructor_arguments, known_backbones, list_backbones
from otx_seg.models.network import SegmentationNetwork

QUICK = ("mobilenetv2", "stdc1", "mit-b0")


def test_every_type_is_listed_once_and_what_was_tried_is_among_them() -> None:
    listed = {backbone.type: backbone for backbone in [*list_backbones("mmseg"), *list_backbones("otx")]}
    assert {chosen.config["type"] for chosen in known_backbones().values()} <= listed.keys()
    assert {"EfficientNetLite", "ENet", "LiteHRNet"} <= {backbone.type for backbone in list_backbones("otx")}
    assert listed["ResNetV1c"].required == ("depth",)
    assert {"ResNet-18", "ResNet-50"} <= set(listed["ResNetV1c"].known)
    assert listed["MSCAN"].known == ("SegNext-t", "SegNext-s", "SegNext-b")
    assert "pretrained" not in listed["MSCAN"].options
    for backbone in listed.values():
        assert not (backbone.known and backbone.unusable), backbone.type
    json.dumps([backbone.as_json() for backbone in listed.values()])


def test_constructor_arguments_of_parents_are_counted() -> None:
    class Parent:
        def __init__(self, depth: int, width: int = 2) -> None: ...

    class Child(Parent):
        def __init__(self, groups: int = 1, **kwargs: int) -> None: ...

    class Closed(Parent):
        def __init__(self, height: int) -> None: ...

    assert constructor_arguments(Child) == (("depth",), {"groups": 1, "width": 2})
    assert constructor_arguments(Closed) == (("height",), {})


def test_parameters_of_levels_that_no_head_looks_at_are_idle() -> None:
    def idle(chosen: template.Template) -> bool:
        return has_idle_parameters(SegmentationNetwork(build_model(chosen, 2)))

    own = template.load("Lite-HRNet-s-mod2")
    assert not idle(own)
    before = torch.get_rng_state()
    assert idle(with_backbone(own, choose_backbone("HRNet-W18")))
    assert not torch.equal(before, torch.get_rng_state())  # networks are initialised ...
    network = SegmentationNetwork(build_model(own, 2))
    before, weights = torch.get_rng_state(), copy.deepcopy(network.state_dict())
    has_idle_parameters(network)
    assert torch.equal(before, torch.get_rng_state())  # ... but looking at one changes nothing
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_levels_are_chosen_by_stride() -> None:
    usual = [Level(64, 4), Level(128, 8), Level(256, 16), Level(512, 32)]
    assert fitting_levels(usual, [8, 16, 32]) == [1, 2, 3]
    assert fitting_levels(usual, [2, 4]) == [0, 1]  # no level is finer than 4
    assert fitting_levels(usual, [32]) == [2, 3]
    upside_down = [Level(512, 16), Level(256, 8), Level(64, 1)]
    assert fitting_levels(upside_down, [8, 16, 32]) == [1, 0]
    deepest_last = [Level(16, 4), Level(64, 8), Level(128, 8)]
    assert fitting_levels(deepest_last, [4, 8]) == [0, 2]
    assert fitting_levels([Level(768, 16)], [4, 8]) == [0]


def test_the_template_says_what_the_network_is() -> None:
    made = with_backbone(template.load("Lite-HRNet-s-mod2"), choose_backbone("resnet-18"))
    assert made.name == "ResNet-18-AggregatedFCN"
    assert made.model["decode_head"]["in_channels"] == [128, 256, 512]
    assert made.model["decode_head"]["in_index"] == [1, 2, 3]
    assert made.pretrained.url is not None
    assert "resnet18_v1c" in made.pretrained.url
    assert not made.default
    network = build_model(made, 2)
    assert made.parameter_count == sum(weights.numel() for weights in network.parameters())
    assert made.size_mb == pytest.approx(4e-6 * made.parameter_count, abs=0.01)
    read_back = template.from_dict(made.as_dict(), "here")
    assert read_back == made


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("decode_head", "in_index", [0, 1, 7], "decode_head.in_index is [0, 1, 7]; it numbers the 3 feature maps"),
        ("decode_head", "in_index", [0, 1, "2"], "decode_head.in_index is [0, 1, '2']; it numbers the 3"),
        ("decode_head", "in_channels", [60, 120, 64], "in_channels is [60, 120, 64], but the feature maps that model"),
        ("decode_head", "channels", 0, "template Lite-HRNet-s-mod2: model.decode_head does not go with model.backbone"),
    ],
)
def test_a_network_that_was_written_wrongly(part: str, key: str, value: Any, message: str) -> None:
    right = template.load("Lite-HRNet-s-mod2")
    try_network(right)
    model = {**right.model, part: {**right.model[part], key: value}}
    with pytest.raises(UsageError, match=re.escape(message)):
        try_network(right.model_copy(update={"model": model}))


def test_a_network_is_tried_at_the_smallest_input_that_its_template_allows() -> None:
    right = template.load("SFNet-Lite-ResNet18").override({"learning_parameters.input_size": "192x192"})
    try_network(right)
    message = r"6 cells a side.*larger images it takes: say.*from which size on, by smallest_input \(now 64\)"
    with pytest.raises(UsageError, match=message):
        try_network(right.model_copy(update={"smallest_input": 64}))


def test_another_backbone_is_tried_at_a_size_that_the_head_takes() -> None:
    made = with_backbone(template.load("SFNet-Lite-ResNet18"), choose_backbone("EfficientNet-Lite0-FPN"))
    assert made.smallest_input == 192


@pytest.mark.parametrize("name", QUICK)
def test_known_ones_train_a_step(name: str) -> None:
    for head in ("Lite-HRNet-s-mod2", "SegNext-t"):
        made = with_backbone(template.load(head), known_backbones()[name])
        assert made.model["backbone"]["type"] == known_backbones()[name].config["type"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in known_backbones() if name not in QUICK])
def test_all_known_ones_train_a_step(name: str) -> None:
    test_known_ones_train_a_step(name)


@pytest.mark.parametrize("name", ["DDRNet", "PIDNet", pytest.param("BEiT", marks=pytest.mark.slow)])
def test_those_that_cannot_be_used_cannot(name: str) -> None:
    with pytest.raises(UsageError, match=rf"the backbone {name} cannot be used"):
        choose_backbone(name)
    made = MODELS.build({"type": name, "norm_cfg": {"type": "LN" if name == "BEiT" else "BN"}})
    with pytest.raises(UsageError, match=name):
        levels_of(made, name)


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed")
def test_timm_is_missed() -> None:
    choose = {"type": "TIMMBackbone", "model_name": "resnet18"}
    with pytest.raises(RuntimeError, match=r"timm is not installed"):
        MODELS.build(choose)


def test_names_in_any_case_and_files(tmp_path: Path) -> None:
    assert choose_backbone("RESNET-18") == choose_backbone("mmseg.ResNet-18")
    assert choose_backbone("mmseg.cgnet").config["type"] == "CGNet"
    # MSCAN's own default, SyncBN, needs several GPUs.
    assert choose_backbone("MSCAN").config == {"type": "MSCAN", "norm_cfg": {"type": "BN"}}
    file = tmp_path / "resnet34.yaml"
    file.write_text("type: ResNetV1c\ndepth: 34\n")
    chosen = choose_backbone(file)
    assert (chosen.name, chosen.config) == ("resnet34", {"type": "ResNetV1c", "depth": 34})
    assert not chosen.weights.exists


def test_weights_and_normalisation_come_with_the_backbone() -> None:
    source = template.load("EfficientNet-Lite0-FPN")
    fitted = with_backbone(template.load("Lite-HRNet-s-mod2"), choose_backbone("EfficientNet-Lite0-FPN"))
    assert fitted.pretrained == source.pretrained
    assert fitted.model["data_preprocessor"] == source.model["data_preprocessor"]
    back = with_backbone(source, choose_backbone("ResNet-18"))
    assert back.model["data_preprocessor"]["mean"] == [123.675, 116.28, 103.53]  # ImageNet's


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ResNet-81", r"did you mean 'ResNet-18'\?"),
        ("HRNet", r"needs extra: write the lines 'type: HRNet' and 'extra: ...' into a file.*HRNet-W18"),
        ("os.system", r"unknown backbone 'os.system'"),
        ("nowhere.yaml", r"nowhere.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_chosen(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_backbone(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type: os.system", r"'os.system' is not allowed"),
        ("type: FCNHead", r"type: 'FCNHead' is not a backbone"),
        ("depth: 18", r"type: None is not a backbone"),
        ("type: ResNetV1c", r"ResNetV1c needs depth; add it there"),
        ("{type: ResNetV1c, depth: 18, witdh: 3}", r"unknown key 'witdh'"),
        ("{type: ResNetV1c, depth: 18, pretrained: x.pth}", r"backbone.pretrained: 'x.pth' is not possible here"),
        ("{type: DDRNet}", r"cannot be used"),
        ("[1]", r"a backbone is a mapping"),
    ],
)
def test_nonsense_in_a_backbone_file(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "backbone.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        choose_backbone(str(file))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("config", [{"depth": 19}, {"depth": 18, "strides": [1, 2]}])
def test_a_backbone_that_cannot_be_built(tmp_path: Path, config: dict[str, object]) -> None:
    file = tmp_path / "backbone.yaml"
    file.write_text(json.dumps({"type": "ResNetV1c", **config}))
    with pytest.raises(UsageError, match=r"cannot be built"):
        with_backbone(template.load("Lite-HRNet-s-mod2"), choose_backbone(file))
