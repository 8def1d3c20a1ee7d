from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as functional
from mmseg.models.backbones import DDRNet
from torch import Tensor, nn
from torch.testing import assert_close

from otx_seg.models.backbones.deep_dual_resolution_net import DeepDualResolutionNet


def with_random_numbers(network: nn.Module) -> nn.Module:
    """With norms that are not the identity."""
    torch.manual_seed(4)
    for value in network.state_dict().values():
        if value.ndim == 1:
            value.copy_(torch.rand(len(value)) + 0.5)
    return network.eval()


class Literal:
    """The network in torch's functions, by the names of its parameters."""

    def __init__(self, parameters: dict[str, Tensor]) -> None:
        self.parameters = parameters

    def norm(self, x: Tensor, name: str) -> Tensor:
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(self.parameters[f"{name}.{key}"] for key in keys))

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.parameters[f"{name}.conv.weight"]
        return self.norm(functional.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2), f"{name}.bn")

    def residual(self, x: Tensor, name: str, stride: int, convolutions: int) -> Tensor:
        y = x
        for number in range(1, convolutions + 1):
            # The first 3x3 convolution strides: the first of two, the middle one of three.
            y = self.conv(y, f"{name}.conv{number}", stride if number == convolutions - 1 else 1)
            y = y.relu() if number < convolutions else y
        if f"{name}.downsample.0.weight" in self.parameters:
            x = functional.conv2d(x, self.parameters[f"{name}.downsample.0.weight"], stride=stride)
            x = self.norm(x, f"{name}.downsample.1")
        return x + y

    def stage(self, x: Tensor, name: str, depth: int, stride: int = 1, convolutions: int = 2) -> Tensor:
        for block in range(depth):
            x = self.residual(x.relu() if block else x, f"{name}.{block}", 1 if block else stride, convolutions)
        return x

    def pyramid(self, x: Tensor) -> Tensor:
        """DAPPM, equation 2 of the paper: each scale is added to the one before it, then a 3x3 convolution."""

        def norm_first(y: Tensor, name: str) -> Tensor:
            weight = self.parameters[f"spp.{name}.conv.weight"]
            return functional.conv2d(self.norm(y, f"spp.{name}.bn").relu(), weight, padding=weight.shape[2] // 2)

        pools: Sequence[Callable[[Tensor], Tensor]] = (
            lambda y: functional.avg_pool2d(y, 5, 2, 2),
            lambda y: functional.avg_pool2d(y, 9, 4, 4),
            lambda y: functional.avg_pool2d(y, 17, 8, 8),
            lambda y: y.mean(dim=(2, 3), keepdim=True),
        )
        scales = [norm_first(x, "scales.0")]
        for number, pool in enumerate(pools, 1):
            pooled = norm_first(pool(x), f"scales.{number}.1")
            enlarged = functional.interpolate(pooled, x.shape[2:], mode="bilinear")
            scales.append(norm_first(enlarged + scales[-1], f"processes.{number - 1}"))
        return norm_first(torch.cat(scales, 1), "compression") + norm_first(x, "shortcut")

    def network(self, x: Tensor, depths: Sequence[int]) -> list[Tensor]:
        """With two rounds of stage 3."""
        x = self.conv(self.conv(x, "stem.0", 2).relu(), "stem.1", 2).relu()
        x = self.stage(x, "stem.2", depths[0]).relu()
        x = self.stage(x, "stem.4", depths[1], stride=2).relu()
        size = x.shape[2:]
        low = high = x
        levels = []
        for number, (depth, stride) in enumerate(((depths[2], 2), (depths[2], 1), (depths[3], 2)), 1):
            low = self.stage(low.relu(), f"context_branch_layers.{number - 1}", depth, stride)
            high = self.stage(high.relu(), f"spatial_branch_layers.{number - 1}", depth)
            up = functional.interpolate(self.conv(low.relu(), f"compression_{number}"), size, mode="bilinear")
            if number < 3:
                low = low + self.conv(high.relu(), f"down_{number}", 2)
            else:
                low = low + self.conv(self.conv(high.relu(), "down_3.0", 2).relu(), "down_3.1", 2)
            high = high + up
            levels.append(high)
        low = self.pyramid(self.stage(low.relu(), "context_branch_layers.3", 1, 2, convolutions=3))
        high = self.stage(high.relu(), "spatial_branch_layers.3", 1, 1, convolutions=3)
        return [levels[1], high + functional.interpolate(low, size, mode="bilinear")]


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (192, 128)])
def test_it_computes_what_the_paper_says(size: tuple[int, int]) -> None:
    depths = (1, 2, 2, 3)
    network = with_random_numbers(DeepDualResolutionNet(4, depths, rounds=2, ppm_channels=6))
    images = torch.randn(2, 3, *size)
    expected = Literal(network.state_dict()).network(images, depths)
    eighth = (size[0] // 8, size[1] // 8)
    assert [tuple(level.shape) for level in expected] == [(2, 8, *eighth), (2, 16, *eighth)]
    assert_close(network(images), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("channels", [32, 64])
def test_the_keys_and_features_are_those_of_mmseg(channels: int) -> None:
    theirs = with_random_numbers(DDRNet(channels=channels))
    ours = DeepDualResolutionNet(channels, (2, 2, 2, 2)).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 128, 64)
    expected = theirs(images)
    assert_close(ours(images)[-1], expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_every_parameter_learns_from_two_images_of_the_smallest_size() -> None:
    network = DeepDualResolutionNet(4, (1, 1, 1, 1), ppm_channels=4).train()
    torch.stack([level.square().mean() for level in network(torch.randn(2, 3, 64, 64))]).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 96), (160, 224), (100, 75)])
def test_sizes_that_are_no_multiples_of_the_coarsest_stride(size: tuple[int, int]) -> None:
    levels = DeepDualResolutionNet(4, (1, 1, 1, 1), ppm_channels=4).eval()(torch.randn(1, 3, *size))
    eighth = tuple(-(-side // 8) for side in size)
    assert [tuple(level.shape) for level in levels] == [(1, 8, *eighth), (1, 16, *eighth)]


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="depths is"):
        DeepDualResolutionNet(4, (2, 2, 2))
    with pytest.raises(ValueError, match="depths is"):
        DeepDualResolutionNet(4, (2, 2, 2, 0))
    with pytest.raises(ValueError, match="rounds is 0"):
        DeepDualResolutionNet(4, (2, 2, 2, 2), rounds=0)
