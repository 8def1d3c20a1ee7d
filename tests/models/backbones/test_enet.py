import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from otx_seg.models.backbones.enet import Bottleneck, DownsamplingBottleneck, ENet

BN = {"type": "BN"}


def with_statistics(block: nn.Module) -> nn.Module:
    """The block in evaluation mode, its batch norms and slopes being no identities."""
    torch.manual_seed(0)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.4)
    return block.eval()


def normalised(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Equation of batch norm, with its running statistics."""
    mean, variance, weight, bias = (
        tensor.view(1, -1, 1, 1) for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / (variance + norm.eps).sqrt() * weight + bias


def activated(x: Tensor, activation: nn.PReLU) -> Tensor:
    return x.clamp(min=0) + activation.weight * x.clamp(max=0)


@pytest.mark.parametrize("dilation", [1, 3, 0])
def test_a_bottleneck_by_hand(dilation: int) -> None:
    block, x = with_statistics(Bottleneck(8, dilation, 0.1, BN)), torch.randn(2, 8, 9, 7)
    layers = list(block.extension)
    with torch.no_grad():
        inner = activated(normalised(functional.conv2d(x, layers[0].weight), layers[1]), layers[2])
        if dilation:
            inner = functional.conv2d(inner, layers[3].weight, padding=dilation, dilation=dilation)
        else:
            assert layers[3].weight.shape[2:] == (5, 1)
            inner = functional.conv2d(functional.pad(inner, (0, 0, 2, 2)), layers[3].weight)
            assert layers[4].weight.shape[2:] == (1, 5)
            inner = functional.conv2d(functional.pad(inner, (2, 2, 0, 0)), layers[4].weight)
        norm, activation, expand = layers[-4:-1]
        inner = functional.conv2d(activated(normalised(inner, norm), activation), expand.weight)
        torch.testing.assert_close(block(x), activated(x + inner, block.activation))


def test_a_bottleneck_that_halves_the_resolution_by_hand() -> None:
    block, x = with_statistics(DownsamplingBottleneck(8, 12, 0.1, BN)), torch.randn(2, 8, 6, 4)
    layers = list(block.extension)
    with torch.no_grad():
        inner = activated(normalised(functional.conv2d(x, layers[0].weight, stride=2), layers[1]), layers[2])
        inner = activated(normalised(functional.conv2d(inner, layers[3].weight, padding=1), layers[4]), layers[5])
        inner = functional.conv2d(inner, layers[6].weight)
        main = torch.cat([x.unfold(2, 2, 2).unfold(3, 2, 2).amax(dim=(4, 5)), torch.zeros(2, 4, 3, 2)], dim=1)
        torch.testing.assert_close(block(x), activated(main + inner, block.activation))


def test_the_initial_block_puts_the_pooled_image_behind_its_convolution() -> None:
    network, images = with_statistics(ENet()), torch.randn(1, 3, 16, 24)
    with torch.no_grad():
        joined = torch.cat(
            [
                functional.conv2d(images, network.initial_conv.weight, stride=2, padding=1),
                functional.max_pool2d(images, 2),
            ],
            dim=1,
        )
        norm, activation = network.initial_norm
        torch.testing.assert_close(network(images)[0], activated(normalised(joined, norm), activation))


def test_the_sections_have_the_convolutions_of_the_table() -> None:
    network = ENet()
    section = [1, 2, (5, 1), (1, 5), 4, 1, 8, (5, 1), (1, 5), 16]
    for blocks in (network.section2[1:], network.section3):
        convs = [conv for block in blocks for conv in block.modules() if isinstance(conv, nn.Conv2d)]
        main = [conv for conv in convs if conv.kernel_size != (1, 1)]
        assert [conv.dilation[0] if conv.kernel_size == (3, 3) else conv.kernel_size for conv in main] == section
        assert {conv.in_channels for conv in main} == {32}
    dropouts = [[m.p for m in part.modules() if isinstance(m, nn.Dropout2d)] for part in network.children()]
    assert dropouts[2:] == [[0.01] * 5, [0.1] * 9, [0.1] * 8]


@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 33)])
def test_levels(height: int, width: int) -> None:
    with torch.no_grad():
        levels = ENet().eval()(torch.zeros(1, 3, height, width))
    sizes = [(channels, -(-height // stride), -(-width // stride)) for channels, stride in ((16, 2), (64, 4), (128, 8))]
    assert [tuple(level.shape[1:]) for level in levels] == sizes


def test_dropout_is_given_for_both_parts() -> None:
    with pytest.raises(ValueError, match="section 1 and the later ones"):
        ENet(dropout_ratios=[0.1])
