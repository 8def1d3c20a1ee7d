"""The names in published files against those of our backbones. No weights are needed, only names and shapes."""

from __future__ import annotations

import functools
import lzma
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.models.build import register_ours
from otx_seg.models.key_mappings import key_mapping, key_mappings
from otx_seg.models.known_backbones import known_backbones
from otx_seg.models.pretrained import fill_backbone
from otx_seg.template.template import Pretrained

register_ours()
BN: dict[str, Any] = {"norm_cfg": {"type": "BN"}}
OF_TORCHVISION: list[tuple[str, dict[str, Any], str | None]] = [
    ("mobilenet_v2", {"type": "MobileNetV2", **BN}, "torchvision_mobilenet_v2"),
    ("mobilenet_v3_large", {"type": "MobileNetV3", "arch": "large", **BN}, "torchvision_mobilenet_v3_large"),
    *((f"resnet{depth}", {"type": "ResNet", "depth": depth, **BN}, None) for depth in (18, 34, 50, 101)),
    ("resnext50_32x4d", {"type": "ResNeXt", "depth": 50, "groups": 32, "base_width": 4, **BN}, None),
    ("vgg16", {"type": "VGG", "depth": 16}, None),
    ("vgg16_bn", {"type": "VGG", "depth": 16, **BN}, None),
    *((f"regnet_x_{arch.lower().replace('.', '_')}", {"type": "RegNetX", "arch": arch}, None)
      for arch in ("800MF", "1.6GF", "3.2GF")),
]  # fmt: skip


@functools.cache
def published_by_torchvision() -> dict[str, dict[str, Tensor]]:
    """Tensors without values by name, in the order of the file, for each network."""
    text = lzma.decompress(Path(__file__).with_name("torchvision_tensors.txt.xz").read_bytes()).decode()
    networks: dict[str, dict[str, Tensor]] = {}
    for line in text.splitlines()[1:]:
        if line.startswith("["):
            network = networks.setdefault(line.strip("[]"), {})
            continue
        name, shape = line.split()
        sides = [] if shape == "scalar" else [int(side) for side in shape.split("x")]
        network[name] = torch.empty(sides, dtype=torch.float32 if sides else torch.int64, device="meta")
    return networks


def on_meta(config: dict[str, Any]) -> Any:
    """A network of nothing but that backbone, without values."""
    if config["type"] not in MODELS.module_dict:
        pytest.skip(f"there is no {config['type']}")
    with torch.device("meta"):
        return SimpleNamespace(backbone=MODELS.build(dict(config)))


@pytest.mark.parametrize(("name", "config", "keys"), OF_TORCHVISION, ids=[row[0] for row in OF_TORCHVISION])
def test_every_tensor_of_torchvision_has_its_place(name: str, config: dict[str, Any], keys: str | None) -> None:
    tensors = published_by_torchvision()[name]
    network = on_meta(config)
    loaded = fill_backbone(network, tensors, name, Pretrained(keys=keys))
    assert (loaded.missing, loaded.unused) == ((), ())
    assert loaded.matched == len(network.backbone.state_dict())
    assert loaded.left_out == len(tensors) - loaded.matched > 0
    assert str(loaded) == f"{loaded.matched} of {loaded.matched} tensors, its classifier left out"
    # Both files are in the order of the network, so that tensors of equal shapes were not mixed up.
    ours = [new for new in key_mapping(keys).our_names(tensors).values() if new in network.backbone.state_dict()]
    assert ours == list(network.backbone.state_dict())


@functools.cache
def known_weights() -> dict[str, Any]:
    return {name: chosen for name, chosen in known_backbones().items() if chosen.weights.exists}


@pytest.mark.parametrize("name", known_weights())
def test_what_known_backbones_and_templates_say_about_their_weights(name: str) -> None:
    chosen = known_weights()[name]
    key_mapping(chosen.weights.keys)
    found = re.search(r"/download\.pytorch\.org/models/(\w+)-([0-9a-f]{8})\.pth", chosen.weights.url or "")
    if chosen.weights.sha256 and chosen.weights.url:
        assert Path(chosen.weights.url).stem.endswith(f"-{chosen.weights.sha256[:8]}")
    if found:
        tensors = published_by_torchvision()[found[1]]  # add its list if it is missing
        loaded = fill_backbone(on_meta(chosen.config), tensors, name, chosen.weights)
        assert not loaded.missing


def test_regnetx_of_pycls_is_turned_from_blue_green_red() -> None:
    ours = on_meta({"type": "RegNetX", "arch": "400MF"}).backbone.state_dict()
    letters = {"a": "1", "b": "2", "c": "3"}

    def theirs(name: str) -> str:
        name = re.sub(r"^stem\.0\.", "conv1.", re.sub(r"^stem\.1\.", "bn1.", name))
        name = re.sub(r"^trunk_output\.block\d\.block(\d)-(\d+)\.", r"layer\1.\2.", name).replace(
            ".proj.", ".downsample."
        )
        name = re.sub(r"\.f\.([abc])\.0\.", lambda found: f".conv{letters[found[1]]}.", name)
        return re.sub(r"\.f\.([abc])\.1\.", lambda found: f".bn{letters[found[1]]}.", name)

    tensors = {theirs(name): value for name, value in ours.items()} | {"fc.weight": torch.empty(2, 384)}
    tensors |= {
        name: torch.zeros_like(value, device="cpu") for name, value in tensors.items() if name.startswith("bn1.")
    }
    tensors["conv1.weight"] = torch.arange(32 * 27.0).reshape(32, 3, 3, 3)
    network = on_meta({"type": "RegNetX", "arch": "400MF"})
    network.backbone.stem.to_empty(device="cpu")
    loaded = fill_backbone(network, tensors, "regnetx_400mf", Pretrained(keys="openmmlab_regnetx"))
    assert (loaded.missing, loaded.unused, loaded.left_out) == ((), (), 1)
    assert torch.equal(network.backbone.stem[0].weight, tensors["conv1.weight"][:, [2, 1, 0]])
    # Weights of our own keep their order, whatever the template says about the published ones.
    again = on_meta({"type": "RegNetX", "arch": "400MF"})
    again.backbone.stem.to_empty(device="cpu")
    fill_backbone(again, network.backbone.state_dict(), "own", Pretrained(keys="openmmlab_regnetx"))
    assert torch.equal(again.backbone.stem[0].weight, network.backbone.stem[0].weight)


def test_weights_for_a_part_of_the_backbone() -> None:
    config = {"type": "ResNet", "depth": 18, **BN}
    network = on_meta(config)
    resnet = network.backbone
    network.backbone = nn.ModuleDict({"detail": nn.Conv2d(3, 4, 1), "context": nn.ModuleDict({"backbone": resnet})})
    part = Pretrained(part="context.backbone")
    loaded = fill_backbone(network, published_by_torchvision()["resnet18"], "resnet18", part)
    assert (loaded.matched, loaded.missing, loaded.unused) == (len(resnet.state_dict()), (), ())
    whole = {f"backbone.{name}": value for name, value in network.backbone.state_dict().items()}
    assert fill_backbone(network, whole, "own", part).matched == len(whole)
    with pytest.raises(
        UsageError, match=r"pretrained\.part: the backbone has no module 'backbone'; it has detail, cont"
    ):
        fill_backbone(network, whole, "own", Pretrained(part="backbone"))


def test_weights_of_another_member_of_the_family() -> None:
    @functools.cache
    def mit(name: str) -> Any:
        return SimpleNamespace(backbone=MODELS.build(dict(known_backbones()[f"mit-{name}"].config)))

    with pytest.raises(UsageError) as caught:
        fill_backbone(mit("b2"), mit("b0").backbone.state_dict(), "mit_b0.pth")
    assert "mit_b0.pth: is of another network: its layers.0.0.projection.weight has the shape 32x3x7x7, " in str(
        caught.value
    )
    assert "backbone.layers.0.0.projection.weight has 64x3x7x7; " in str(caught.value)
    # One with fewer blocks of the same sizes fits in part, and so does one with more.
    smaller = fill_backbone(mit("b2"), mit("b1").backbone.state_dict(), "mit_b1.pth")
    assert smaller.matched == len(mit("b1").backbone.state_dict())
    assert smaller.missing[0] == "backbone.layers.0.1.2.norm1.weight"
    larger = fill_backbone(mit("b1"), mit("b2").backbone.state_dict(), "mit_b2.pth")
    assert (larger.missing, larger.unused[0]) == ((), "layers.0.1.2.norm1.weight")
    assert f"of the file, layers.0.1.2.norm1.weight and {len(larger.unused) - 1} more not used" in str(larger)
    narrow = {"type": "MobileNetV2", "widen_factor": 1.4, **BN}
    with pytest.raises(UsageError, match=r"its features\.0\.0\.weight has the shape 32x3x3x3, backbone\.conv1\.conv"):
        fill_backbone(
            on_meta(narrow),
            published_by_torchvision()["mobilenet_v2"],
            "x",
            Pretrained(keys="torchvision_mobilenet_v2"),
        )


def test_integers_in_place_of_numbers() -> None:
    tensors = dict(published_by_torchvision()["resnet18"])
    tensors["bn1.weight"] = torch.empty(64, dtype=torch.int64, device="meta")
    with pytest.raises(
        UsageError, match=r"its bn1\.weight has the shape 64, of integers, backbone\.bn1\.weight has 64;"
    ):
        fill_backbone(on_meta({"type": "ResNet", "depth": 18, **BN}), tensors, "x")


def test_counters_of_batch_norms_do_not_matter() -> None:
    tensors = published_by_torchvision()["resnet18"]
    old = {name: value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    assert not fill_backbone(on_meta({"type": "ResNet", "depth": 18, **BN}), old, "x").missing


def test_unknown_mapping() -> None:
    with pytest.raises(
        UsageError, match=r"pretrained\.keys: unknown mapping 'torchvision_mobilenetv2'; did you mean 't"
    ):
        key_mapping("torchvision_mobilenetv2")
    assert key_mapping(None).our_names(["a"]) == {"a": "a"}


def test_every_rule_is_used() -> None:
    lists = {keys: published_by_torchvision()[name] for name, _, keys in OF_TORCHVISION if keys}
    assert lists.keys() | {"openmmlab_regnetx"} == key_mappings().keys()
    for keys, names in lists.items():
        whole = key_mapping(keys)
        for rule in whole.rules:
            fewer = type(whole)(tuple(other for other in whole.rules if other is not rule))
            assert fewer.our_names(names) != whole.our_names(names), rule
