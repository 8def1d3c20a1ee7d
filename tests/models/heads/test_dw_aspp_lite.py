import pytest
import torch
from plain_layers import conv_norm, separable, with_statistics

from otx_seg.models.heads.dw_aspp_lite import DWASPPLite, grouped_conv

NORM, RELU = {"type": "BN"}, {"type": "ReLU"}


@pytest.mark.parametrize(("group_width", "groups"), [(1, 12), (4, 3)])
def test_by_hand(group_width: int, groups: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 12, 9, 11)
    aspp = with_statistics(DWASPPLite(12, 5, [2, 3, 4], group_width, 0.2, NORM, RELU))
    pointwise, *dilated = aspp.branches
    parts = [separable(x, branch, groups, dilation) for branch, dilation in zip(dilated, [2, 3, 4], strict=True)]
    expected = conv_norm(torch.cat([conv_norm(x, pointwise), *parts], dim=1), aspp.mix)
    torch.testing.assert_close(aspp(x), expected)
    assert expected.shape == (2, 5, 9, 11)


def test_whole_channels_are_dropped_in_training_alone() -> None:
    torch.manual_seed(0)
    aspp, x = DWASPPLite(4, 8, [2], 1, 0.5, NORM, RELU), torch.randn(1, 4, 6, 6)
    seen = []
    aspp.mix.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    aspp.train()(x)
    kept = (seen[0] != 0).flatten(2).any(dim=2)
    assert 0 < kept.sum() < kept.numel()
    aspp.eval()
    assert torch.equal(aspp(x), aspp(x))


def test_a_batch_of_one_on_a_small_map_can_be_trained() -> None:
    aspp = DWASPPLite(4, 8, [6, 12], 1, 0.1, NORM, RELU).train()
    assert aspp(torch.randn(1, 4, 2, 1)).isfinite().all()


@pytest.mark.parametrize(
    ("channels", "width", "groups"), [(256, 16, 16), (38, 16, 2), (8, 24, 1), (7, 1, 7), (7, 2, 1)]
)
def test_groups_are_as_wide_as_asked_for_or_the_next_wider(channels: int, width: int, groups: int) -> None:
    assert grouped_conv(channels, width, NORM, None).conv.groups == groups


@pytest.mark.parametrize("width", [0, -1])
def test_no_empty_groups(width: int) -> None:
    with pytest.raises(ValueError, match=f"group_width is {width}"):
        grouped_conv(8, width, NORM, None)
