"""Object-contextual representations, from the equations of https://arxiv.org/abs/1909.11065, section 3.2."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from mmseg.models.decode_heads.ocr_head import OCRHead
from plain_layers import conv_norm_relu
from torch import Tensor, nn

from otx_seg.models.heads.aspp_ocr_head import ASPPOCRHead

ARGUMENTS: dict[str, Any] = {
    "in_channels": 10,
    "in_index": 0,
    "channels": 8,
    "ocr_channels": 4,
    "num_classes": 3,
    "norm_cfg": {"type": "BN"},
    "dropout_ratio": 0.05,
}
PYRAMID = {"aspp_channels": 5, "aspp_dilations": (2, 3)}


def ready(head: nn.Module) -> Any:
    """In evaluation mode, with statistics that are not those of new batch norms."""
    for norm in (module for module in head.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 2)
    return head.eval()


def object_regions(pixels: Tensor, logits: Tensor) -> Tensor:
    """Equation 4: the mean of the pixels' features, weighted by their share of each object, (B, C, K)."""
    objects = torch.zeros(*pixels.shape[:2], logits.shape[1])
    for image in range(len(pixels)):
        for label in range(logits.shape[1]):
            degrees = logits[image, label].exp()
            objects[image, :, label] = (pixels[image] * degrees / degrees.sum()).sum(dim=(1, 2))
    return objects


def context(block: Any, pixels: Tensor, objects: Tensor) -> Tensor:
    """Equations 5 and 6: the sum of the objects by their relation to each pixel, (B, C, H, W)."""
    queries = conv_norm_relu(block.query_project[1], conv_norm_relu(block.query_project[0], pixels))
    columns = objects.unsqueeze(3)
    keys = conv_norm_relu(block.key_project[1], conv_norm_relu(block.key_project[0], columns))
    values = conv_norm_relu(block.value_project, columns)
    relation = torch.einsum("bchw,bcko->bkhw", queries, keys) / queries.shape[1] ** 0.5
    weights = relation.exp() / relation.exp().sum(dim=1, keepdim=True)
    return conv_norm_relu(block.out_project, torch.einsum("bkhw,bcko->bchw", weights, values))


@torch.no_grad()
@pytest.mark.parametrize("with_pyramid", [False, True])
def test_an_object_gives_its_pixels_context(with_pyramid: bool) -> None:
    torch.manual_seed(0)
    head = ready(ASPPOCRHead(**PYRAMID, **ARGUMENTS) if with_pyramid else OCRHead(**ARGUMENTS))
    features, first = torch.randn(2, 10, 6, 5), torch.randn(2, 3, 6, 5)
    pixels = conv_norm_relu(head.bottleneck, features)
    block = head.object_context_block
    parts = [context(block, pixels, object_regions(pixels, first)), pixels]
    if with_pyramid:
        parts.insert(1, block.pyramid(pixels))
    augmented = conv_norm_relu(block.bottleneck, torch.cat(parts, dim=1))  # equation 7
    by_hand = functional.conv2d(augmented, head.conv_seg.weight, head.conv_seg.bias)
    torch.testing.assert_close(head([features], first), by_hand, rtol=1e-4, atol=1e-5)


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    head = ASPPOCRHead(**PYRAMID, **ARGUMENTS).train()
    logits = head([torch.randn(2, 10, 6, 5)], torch.randn(2, 3, 6, 5))
    assert logits.shape == (2, 3, 6, 5)
    logits.square().sum().backward()
    assert not [name for name, parameter in head.named_parameters() if parameter.grad is None]


def test_dilations_are_needed() -> None:
    with pytest.raises(ValueError, match="dilations"):
        ASPPOCRHead(aspp_channels=5, aspp_dilations=(), **ARGUMENTS)
