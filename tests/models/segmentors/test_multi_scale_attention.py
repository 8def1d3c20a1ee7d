"""Hierarchical multi-scale attention, from section 3 of https://arxiv.org/abs/2005.10821."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_network import at_several_scales, small_template
from torch import Tensor
from torch.nn.functional import interpolate

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.complexity import measure
from otx_seg.models.fit import try_network
from otx_seg.models.network import SegmentationNetwork, main_logits

IMAGES = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def network(labels: int = 3, **changes: Any) -> SegmentationNetwork:
    torch.manual_seed(0)
    template = at_several_scales()
    built = build_model(template.model_copy(update={"model": {**template.model, **changes}}), labels)
    return SegmentationNetwork(built).eval()


def resized(x: Tensor, size: tuple[int, int], align_corners: bool = True) -> Tensor:
    return interpolate(x, size, mode="bilinear", align_corners=align_corners)


def look(bare: Any, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """First logits, main logits and attention for normalised images."""
    levels = bare.backbone(images)
    first = bare.decode_head[0](levels)
    return first, *bare.decode_head[1].with_attention(levels, first)


def normalised(made: SegmentationNetwork) -> Tensor:
    return (IMAGES.float() - made.mean) * made.scale


@torch.no_grad()
def test_what_it_learns_from_by_hand() -> None:
    made = network()
    whole, half = look(made.network, normalised(made)), look(made.network, resized(normalised(made), (32, 48)))
    size = (whole[0].shape[2], whole[0].shape[3])
    attention = resized(half[2], size)
    joint, first = (
        resized(half[2] * half[stage], size) + (1 - attention) * whole[stage] for stage in (1, 0)
    )  # fmt: skip
    by_hand = {"main": joint, "decode_0": first, "scale_0": half[1], "scale_1": whole[1]}
    output = made.outputs(IMAGES)
    assert list(output.by_name()) == list(by_hand)
    for name, logits in by_hand.items():
        torch.testing.assert_close(
            output.by_name()[name], resized(logits, (64, 96), align_corners=False), rtol=1e-4, atol=1e-5
        )
    assert made.channels == dict.fromkeys(by_hand, 3)
    for found, level in zip(output.features, made.features(IMAGES), strict=True):
        assert torch.equal(found, level)


@torch.no_grad()
def test_three_scales_by_hand() -> None:
    made = network(test_scales=[1.0, 0.5, 2.0])
    images = normalised(made)
    double, whole, half = (look(made.network, resized(images, size)) for size in ((128, 192), (64, 96), (32, 48)))
    size = (whole[0].shape[2], whole[0].shape[3])
    fine = whole[2] * whole[1] + (1 - whole[2]) * resized(double[1], size)
    mixed = resized(half[2] * half[1], size) + (1 - resized(half[2], size)) * fine
    torch.testing.assert_close(main_logits(made.network, images), mixed, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made(IMAGES), resized(mixed, (64, 96), align_corners=False), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_one_scale_has_nothing_to_mix() -> None:
    made = network(test_scales=[1.0])
    assert torch.equal(main_logits(made.network, normalised(made)), look(made.network, normalised(made))[1])
    small = network(test_scales=[0.5])
    half = look(small.network, resized(normalised(small), (32, 48)))[1]
    torch.testing.assert_close(main_logits(small.network, normalised(small)), half, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_image_as_it_is_comes_last() -> None:
    made, sizes = network(test_scales=[0.5, 1.0, 2.0]), []
    made.main_head.conv_seg.register_forward_hook(lambda module, inputs, output: sizes.append(inputs[0].shape[-1]))
    made(IMAGES)
    assert sorted(sizes)[1] == sizes[-1]


def test_a_step_reaches_everything() -> None:
    template = at_several_scales()
    made = network()
    algorithm = algorithms.build(template, made, [0.4, 0.3, 0.3]).train()
    mask = torch.randint(0, 3, (2, 64, 96), dtype=torch.uint8)
    batch = {"labelled": {"image": IMAGES, "mask": mask, "files": ["a", "b"]}}
    losses = algorithm.training_step(batch, TrainProgress(0, 0, 0.0))
    losses["loss"].backward()
    assert not [name for name, parameter in made.named_parameters() if parameter.grad is None]
    assert {name.split(" ")[0].split(".")[0] for name in losses} >= {"loss"}
    try_network(template)


@torch.no_grad()
def test_one_channel_for_two_labels() -> None:
    torch.manual_seed(0)
    template = at_several_scales().override({"learning_parameters.binary": True})
    made = SegmentationNetwork(build_model(template, 2)).eval()
    output = made.outputs(IMAGES)
    assert made.channels == dict.fromkeys(("main", "decode_0", "scale_0", "scale_1"), 2)
    assert {logits.shape for logits in output.by_name().values()} == {(2, 2, 64, 96)}
    torch.testing.assert_close(made(IMAGES), output.logits)


def test_what_is_counted_is_all_scales() -> None:
    one, both = (measure(network(test_scales=scales).network, 64).gigaflops for scales in ([1.0], [0.5, 1.0]))
    assert 1.2 < both / one < 1.3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train_scales": [1.0]}, r"train_scales is \[1.0\]; it needs 1 and another scale"),
        ({"train_scales": [0.5, 2.0]}, r"it needs 1 and another scale"),
        ({"test_scales": []}, r"scales are different numbers from 0.25 to 4"),
        ({"test_scales": [1.0, 1.0]}, r"1.0 in .* scales are different numbers"),
        ({"test_scales": [0.1]}, r"0.1 in .* scales are different numbers"),
        ({"test_scales": ["1"]}, r"scales are different numbers"),
        ({"test_scales": 1.0}, r"scales are different numbers"),
    ],
)
def test_scales_that_are_none(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=rf"template small-scales: model cannot be built: .*{says}"):
        network(**changes)


def test_a_head_without_attention() -> None:
    first, main = at_several_scales().model["decode_head"]
    plain = {key: value for key, value in main.items() if key != "attention_channels"}
    with pytest.raises(UsageError, match=r"its last head, OCRHead, has no attention for scales"):
        network(decode_head=[first, {**plain, "type": "OCRHead"}])


def test_other_networks_have_no_scales() -> None:
    template = small_template()
    model = {**template.model, "train_scales": [0.5, 1.0], "test_scales": [1.0]}
    with pytest.raises(UsageError, match=r"cannot be built: .*scales"):
        build_model(template.model_copy(update={"model": model}), 2)
