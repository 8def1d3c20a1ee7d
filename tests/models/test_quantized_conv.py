"""Rounding to 8 bits, its gradients, and what may be done to a network that rounds."""

from __future__ import annotations

import math

import pytest
import torch
from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmcv.cnn.bricks.wrappers import Conv2d as MmcvConv2d
from torch import nn

from otx_seg.models.backbones.efficientnet_lite import SameConv2d
from otx_seg.models.quantized_conv import (
    LARGEST_INPUT,
    LARGEST_WEIGHT,
    InputQuantizer,
    QuantizedConv2d,
    is_quantized,
    quantize_convolutions,
    quantized_layers,
    restore_quantized,
    share_of_zeros,
    with_rounded_weights,
)


def test_inputs_are_rounded_to_256_values_among_which_is_0() -> None:
    quantizer = InputQuantizer(step=0.5, zero=2)
    x = torch.tensor([-9.0, -1.0, -0.3, 0.0, 0.2, 0.3, 126.4, 500.0])
    # -1 is the lowest of the 256 values (2 steps below 0), 126.5 the highest (253 above).
    expected = torch.tensor([-1.0, -1.0, -0.5, 0.0, 0.0, 0.5, 126.5, 126.5])
    assert torch.allclose(quantizer(x), expected, atol=1e-5)


def test_the_gradients_are_those_of_learned_step_size() -> None:
    """Esser et al. 2020, equations 3 and 5, times the scale of section 2.2; of the logarithm, so times the step."""
    step, zero = 0.5, 2
    quantizer = InputQuantizer(step, zero)
    x = torch.tensor([-9.0, 0.2, 0.35, 500.0], requires_grad=True)
    quantizer(x).sum().backward()
    of_step = [-2, 0 - 0.4, 1 - 0.7, 253]
    scale = 1 / math.sqrt(4 * 255)
    assert quantizer.log_step.grad is not None
    assert float(quantizer.log_step.grad) == pytest.approx(sum(of_step) * step * scale, rel=1e-4)
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def rounded(conv: nn.Conv2d, mask: torch.Tensor | None = None) -> QuantizedConv2d:
    return QuantizedConv2d(conv, InputQuantizer(0.1, 128), mask)


def test_weights_become_multiples_of_a_63rd_of_the_largest_of_their_channel() -> None:
    conv = nn.Conv2d(2, 2, 1, bias=False)
    conv.weight.data = torch.tensor([[0.63, 0.254], [-0.0126, 0.0031]])[:, :, None, None]
    layer = rounded(conv)
    expected = torch.tensor([[63 * 0.01, 25 * 0.01], [-63 * 0.0002, 16 * 0.0002]])
    assert torch.allclose(layer.rounded_weight()[:, :, 0, 0], expected, atol=1e-7)
    layer.rounded_weight().sum().backward()
    assert layer.weight.grad is not None
    assert (layer.weight.grad == 1).all()  # straight through


def test_two_products_fit_16_bits() -> None:
    assert 2 * LARGEST_INPUT * LARGEST_WEIGHT <= 2**15 - 1


def test_a_channel_of_zeros_stays_one() -> None:
    conv = nn.Conv2d(1, 1, 3)
    nn.init.zeros_(conv.weight)
    assert (rounded(conv).rounded_weight() == 0).all()


def test_it_convolves_what_is_rounded_as_the_layer_it_replaces() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dilation=1)
    layer = rounded(conv)
    x = torch.randn(2, 4, 9, 9)
    expected = nn.functional.conv2d(
        layer.quantizer(x), layer.rounded_weight(), conv.bias, stride=2, padding=1, dilation=1, groups=2
    )
    assert torch.equal(layer(x), expected)


def test_what_scales_a_channel_does_not_change_its_whole_numbers() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 4, 3)
    plain = rounded(conv).rounded_weight()
    factors = torch.tensor([0.1, -3.0, 7.7, 1e-4])[:, None, None, None]
    scaled = nn.Conv2d(8, 4, 3)
    scaled.weight.data = plain.detach() * factors
    assert torch.allclose(rounded(scaled).rounded_weight(), plain * factors, rtol=1e-5)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(self.first(x))
        return result


def test_a_state_dict_tells_which_layers_are_quantised() -> None:
    network = Network().eval()
    assert not is_quantized(network)
    before = set(network.state_dict())
    mask = torch.ones(2, 8, 1, 1, dtype=torch.bool)
    mask[0, :4] = False
    quantize_convolutions(network, {"first.0": InputQuantizer(0.01, 7), "last": InputQuantizer(0.2, 0)}, {"last": mask})
    state = network.state_dict()
    assert before <= set(state)
    assert sorted(quantized_layers(state)) == ["first.0", "last"]
    other = Network().eval()
    restore_quantized(other, state)
    other.load_state_dict(state)
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(other(x), network(x))
    assert share_of_zeros(other) == 4 / 16


def test_a_state_dict_of_another_network_is_noticed() -> None:
    with pytest.raises(AttributeError):
        restore_quantized(Network(), {"second.quantizer.log_step": torch.tensor(0.0)})


def test_pruned_weights_stay_0_while_the_others_are_trained() -> None:
    torch.manual_seed(0)
    network, mask = Network(), torch.rand(8, 3, 3, 3) > 0.4
    quantize_convolutions(network, {"first.0": InputQuantizer(0.01, 0)}, {"first.0": mask})
    optimizer = torch.optim.AdamW(network.parameters(), 0.1)
    before = network.first[0].weight.detach().clone()
    for _ in range(3):
        network(torch.rand(2, 3, 8, 8)).square().mean().backward()
        optimizer.step()
    after = network.first[0].weight.detach()
    assert (after[~mask] == 0).all()
    assert (after[mask] != before[mask]).all()


def test_rounding_the_weights_for_good_changes_nothing_but_the_weights() -> None:
    torch.manual_seed(0)
    network = Network().eval()
    assert with_rounded_weights(network) is network
    quantize_convolutions(network, {"first.0": InputQuantizer(0.01, 0)})
    fixed = with_rounded_weights(network)
    x = torch.rand(1, 3, 8, 8)
    assert torch.allclose(fixed(x), network(x), atol=1e-6)
    assert not torch.equal(fixed.first[0].weight, network.first[0].weight)
    assert torch.equal(fixed.first[0].weight, network.first[0].rounded_weight())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 4, 3, 2, 1, bias=False),
        SameConv2d(3, 4, 5, 2),
        SameConv2d(3, 4, 5),
        MmcvConv2d(3, 4, 3, padding=1),
        Conv2dAdaptivePadding(3, 4, 3, stride=2, bias=False),
        Conv2dAdaptivePadding(3, 4, 3, stride=2, dilation=2),
    ],
    ids=lambda conv: f"{type(conv).__name__}-{conv.kernel_size[0]}-{conv.stride[0]}-{conv.dilation[0]}",
)
@pytest.mark.parametrize("size", [(16, 15), (7, 10)])
def test_the_padding_is_that_of_the_convolution(conv: nn.Conv2d, size: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size)
    quantized = QuantizedConv2d(conv, InputQuantizer(1 / 255, 0))
    with torch.no_grad():
        assert quantized(x).shape == conv(x).shape
        assert torch.allclose(quantized(x), conv(x), atol=0.05)
        # Its border is not shifted: with an exact weight and input both agree to the last bit.
        x = (x * 255).round() / 255
        conv.weight.copy_(quantized.rounded_weight())
        assert torch.allclose(quantized(x), conv(x), atol=1e-5)


def test_convolutions_of_other_kinds_are_refused() -> None:
    class Other(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x + 1)

    with pytest.raises(TypeError, match="a Other cannot be quantised"):
        QuantizedConv2d(Other(3, 4, 3), InputQuantizer(1.0, 0))
