import copy
import subprocess
from typing import Any

import pytest
import torch
from torch import nn

import otx_seg.template
from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.build import _within_reason, check_types
from otx_seg.models.network import SegmentationNetwork

# With 12 labels, as published; SegNeXt's include its fixed bases.
PARAMETERS = {
    "Lite-HRNet-s-mod2": 829_504,
    "Lite-HRNet-18-mod2": 1_132_244,
    "Lite-HRNet-18": 1_132_244,
    "Lite-HRNet-x-mod3": 1_504_246,
    "SegNext-t": 4_232_044,
    "SegNext-s": 13_901_516,
    "SegNext-b": 27_573_708,
}
STRIDE = {"Lite-HRNet-s-mod2": 8, "Lite-HRNet-18-mod2": 4, "Lite-HRNet-18": 4, "Lite-HRNet-x-mod3": 2}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_and_shapes_of_published_templates(name: str) -> None:
    network = build_model(name, num_classes=12)
    bases = [value.numel() for key, value in network.state_dict().items() if key.endswith("ham.bases")]
    assert sum(parameter.numel() for parameter in network.parameters()) + sum(bases) == PARAMETERS[name]

    wrapped = SegmentationNetwork(network).train()
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    stride = STRIDE.get(name, 8)
    assert network.decode_head(network.backbone(images / 255.0)).shape == (2, 12, 64 // stride, 96 // stride)
    logits = wrapped(images)
    assert logits.shape == (2, 12, 64, 96)
    logits.square().mean().backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("size", [(96, 160), (100, 84), (65, 33)])
def test_sizes_that_no_stride_divides(size: tuple[int, int]) -> None:
    network = SegmentationNetwork(build_model("Lite-HRNet-s-mod2", 3)).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, *size, dtype=torch.uint8)).shape == (1, 3, *size)


def test_the_seed_decides_the_weights() -> None:
    states = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        states.append(build_model("SegNext-t", 4).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["decode_head.hamburger.ham.bases"], states[2]["decode_head.hamburger.ham.bases"])


def test_building_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    build_model("SegNext-t", 2)
    assert capfd.readouterr() == ("", "")


def test_fewer_than_two_labels() -> None:
    with pytest.raises(UsageError, match="at least 2 labels"):
        build_model("Lite-HRNet-s-mod2", 1)


def test_unknown_template() -> None:
    with pytest.raises(UsageError, match="Lite-HRNet-s-mod2"):
        build_model("Lite-HRNet-s-mod", 2)


def _changed(path: str, value: Any) -> otx_seg.template.Template:
    template = otx_seg.template.load("Lite-HRNet-s-mod2")
    model = copy.deepcopy(template.model)
    *parents, last = path.split(".")
    place: Any = model
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    return template.model_copy(update={"model": model})


@pytest.mark.parametrize(
    "path", ["type", "backbone.type", "decode_head.norm_cfg.type", "backbone.init_cfg.0.type", "train_cfg.type"]
)
@pytest.mark.parametrize("name", ["subprocess.check_output", "torch.nn.Identity", "mmseg.FCNHead", "otx_segment.X"])
def test_dotted_types_are_refused(path: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(subprocess, "check_output", lambda *args, **kwargs: called.append(args))
    with pytest.raises(UsageError) as caught:
        build_model(_changed(path, name), 2)
    assert f"model.{path}" in str(caught.value)
    assert name in str(caught.value)
    assert not called


def test_a_dotted_type_of_our_own() -> None:
    network = build_model(_changed("backbone.type", "otx_seg.models.backbones.lite_hrnet.LiteHRNet"), 2)
    assert type(network.backbone).__name__ == "LiteHRNet"


def test_unknown_type_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"model\.backbone\.type.*LiteHRNett.*did you mean 'LiteHRNet'"):
        build_model(_changed("backbone.type", "LiteHRNett"), 2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("backbone.init_cfg", {"type": "Pretrained", "checkpoint": "http://localhost/x.pth"}),
        ("pretrained", "torchvision://resnet50"),
        ("backbone._scope_", "os"),
    ],
)
def test_keys_that_would_load_something(path: str, value: Any) -> None:
    with pytest.raises(UsageError, match=r"model\..* is not possible here"):
        build_model(_changed(path, value), 2)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("backbone.stem_chanels", 3, "model.backbone cannot be built: .*stem_chanels"),
        ("backbone.stages", 3, "model.backbone cannot be built: object of type 'int'"),
        ("decode_head.channels", -3, "model.decode_head cannot be built: .*negative dimension"),
        # mmseg asserts it without a message
        ("decode_head.in_index", [0, 1], "model.decode_head cannot be built: assert len.in_channels. == len.in_index"),
        ("decode_head", None, "model.decode_head has to be a mapping"),
        ("backbone.stages.0.modules", 10**9, "model.backbone cannot be built: .*more than 8,000 parts"),
        ("type", "BaseSegmentor", "unknown type"),
        ("type", "ReLU", "model cannot be built"),
        ("backbone.type", 3, "the name of a class, not 3"),
    ],
)
def test_models_that_cannot_be_built(path: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_model(_changed(path, value), 2)


def test_what_is_checked_is_not_changed() -> None:
    template = otx_seg.template.load("Lite-HRNet-s-mod2")
    before = copy.deepcopy(template.model)
    check_types(template.model, "here")
    build_model(template, 7)
    assert template.model == before


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data_preprocessor", None, "has to be a mapping with type, mean and std"),
        ("data_preprocessor.mean", None, r"mean: it is None, not three numbers"),
        ("data_preprocessor.mean", [1.0, 2.0], r"mean: it is \[1.0, 2.0\], not three numbers"),
        ("data_preprocessor.std", [1.0, 0.0, 1.0], "std: one of its numbers is 0.0; it should be from"),
        ("data_preprocessor.std", [1.0, "a", 1.0], "std: one of its numbers is 'a', not a number"),
        ("type", "CascadeEncoderDecoder", "model"),
    ],
)
def test_a_normalisation_that_is_none(path: str, value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_model(_changed(path, value), 2)


def test_parameters_beyond_number_are_never_initialised() -> None:
    with _within_reason(), pytest.raises(ValueError, match="more than 500,000,000 parameters"):
        nn.Linear(30_000, 30_000)
    nn.Linear(3, 3)
