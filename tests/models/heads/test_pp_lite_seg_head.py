import pytest
import torch
from torch.nn import functional

from otx_seg.models.heads.pp_lite_seg_head import PPLiteSegHead, SimplePyramidPooling, SpatialAttentionFusion


def convolved(x: torch.Tensor, module: torch.nn.Module) -> torch.Tensor:
    """A 1x1 or 3x3 convolution that keeps the size, and its batch norm with the stored statistics."""
    norm = module.norm
    padding = module.conv.weight.shape[-1] // 2
    x = functional.conv2d(x, module.conv.weight, None, 1, padding)
    return (x - norm.running_mean[:, None, None]) / torch.sqrt(norm.running_var[:, None, None] + norm.eps) * (
        norm.weight[:, None, None]
    ) + norm.bias[:, None, None]


def with_random_norms(module: torch.nn.Module) -> torch.nn.Module:
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            for values in (part.weight, part.running_var):
                torch.nn.init.uniform_(values, 0.5, 2)
            for values in (part.bias, part.running_mean):
                torch.nn.init.uniform_(values, -1, 1)
    return module.eval()


@torch.no_grad()
def test_the_context_is_a_sum_of_enlarged_means() -> None:
    torch.manual_seed(1)
    module = with_random_norms(SimplePyramidPooling(5, 3, [1, 2], {"type": "BN"}, align_corners=False))
    x = torch.randn(2, 5, 4, 6)
    whole = x.mean(dim=(2, 3), keepdim=True)
    quarters = torch.stack(
        [torch.stack([x[:, :, r : r + 2, c : c + 3].mean(dim=(2, 3)) for c in (0, 3)], dim=2) for r in (0, 2)], dim=2
    )
    total = torch.relu(convolved(whole, module.branches[0])).expand(-1, -1, 4, 6)
    total = total + functional.interpolate(
        torch.relu(convolved(quarters, module.branches[1])), (4, 6), mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(module(x), torch.relu(convolved(total, module.smooth)))


def test_a_single_image_trains_the_context() -> None:
    module = SimplePyramidPooling(5, 3, [1, 2], {"type": "BN"}, align_corners=False).train()
    x = torch.randn(1, 5, 4, 6, requires_grad=True)
    module(x).sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is not None for parameter in module.parameters())
    norm = module.branches[0].norm
    assert norm.training
    assert torch.equal(norm.running_mean, torch.zeros(3))
    module(torch.randn(2, 5, 4, 6))
    assert not torch.equal(norm.running_mean, torch.zeros(3))


@pytest.mark.parametrize("skip_channels", [4, 6])
@torch.no_grad()
def test_a_gate_for_each_position_mixes_coarse_and_fine(skip_channels: int) -> None:
    torch.manual_seed(2)
    module = with_random_norms(SpatialAttentionFusion(4, skip_channels, 3, {"type": "BN"}, align_corners=False))
    coarse, skip = torch.randn(2, 4, 3, 2), torch.randn(2, skip_channels, 6, 4)
    up = functional.interpolate(coarse, (6, 4), mode="bilinear", align_corners=False)
    low = skip if skip_channels == 4 else torch.relu(convolved(skip, module.project))
    seen = torch.stack([up.mean(1), up.max(1).values, low.mean(1), low.max(1).values], dim=1)
    gate = torch.sigmoid(convolved(torch.relu(convolved(seen, module.attention[0])), module.attention[1]))
    mixed = up * gate + low * (1 - gate)
    torch.testing.assert_close(module(coarse, skip), torch.relu(convolved(mixed, module.smooth)))


def head(**changed: object) -> PPLiteSegHead:
    arguments = {
        "in_channels": [4, 6, 6, 9],
        "in_index": [0, 1, 2, 3],
        "context_channels": 6,
        "decoder_channels": [6, 5, 4],
        "channels": 3,
        "num_classes": 2,
        "norm_cfg": {"type": "BN"},
    }
    return PPLiteSegHead(**{**arguments, **changed}).eval()


def levels() -> list[torch.Tensor]:
    return [torch.randn(1, 4, 13, 10), torch.randn(1, 6, 7, 5), torch.randn(1, 6, 4, 3), torch.randn(1, 9, 4, 3)]


def test_it_works_at_the_resolution_of_the_finest_features() -> None:
    assert head()(levels()).shape == (1, 2, 13, 10)


def test_without_a_map_of_its_own_the_context_is_that_of_the_coarsest_skip() -> None:
    model = head(in_channels=[4, 6, 6], in_index=[0, 1, 2])
    assert model.context.branches[0].conv.in_channels == 6
    assert model(levels()[:3]).shape == (1, 2, 13, 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decoder_channels": [6, 5]}, "2 decoder_channels need 2 of them"),
        ({"decoder_channels": []}, "0 decoder_channels"),
        ({"pool_bins": []}, "pool_bins is empty"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head(**changed)
