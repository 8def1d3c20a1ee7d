from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from plain_layers import conv_norm_relu

from otx_seg.models.heads.scale_attention_ocr_head import ScaleAttentionOCRHead


def head() -> Any:
    torch.manual_seed(0)
    made = ScaleAttentionOCRHead(
        in_channels=10, in_index=0, channels=8, ocr_channels=4, attention_channels=6, num_classes=3,
        norm_cfg={"type": "BN"}, dropout_ratio=0.05,
    )  # fmt: skip
    return made.eval()


@torch.no_grad()
def test_attention_is_made_from_what_the_logits_are_made_from() -> None:
    network, features, first = head(), torch.randn(2, 10, 6, 5), torch.randn(2, 3, 6, 5)
    seen: list[torch.Tensor] = []
    network.conv_seg.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    logits, attention = network.with_attention([features], first)
    wide, narrow, last, _ = network.scale_attention
    by_hand = functional.conv2d(conv_norm_relu(narrow, conv_norm_relu(wide, seen[0])), last.weight)
    torch.testing.assert_close(attention, 1 / (1 + (-by_hand).exp()))
    assert attention.shape == (2, 1, 6, 5)
    assert wide.conv.weight.shape == (6, 8, 3, 3)
    assert narrow.conv.weight.shape == (6, 6, 3, 3)
    assert last.bias is None
    assert torch.equal(logits, network([features], first))


def test_every_parameter_learns() -> None:
    network = head().train()
    logits, attention = network.with_attention([torch.randn(1, 10, 6, 5)], torch.randn(1, 3, 6, 5))
    (logits.square().sum() + attention.sum()).backward()
    assert not [name for name, parameter in network.named_parameters() if parameter.grad is None]
