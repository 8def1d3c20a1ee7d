import torch

from otx_seg.models.heads.lite_fpn_head import LiteFPNHead


def _head() -> LiteFPNHead:
    torch.manual_seed(3)
    return LiteFPNHead(
        in_channels=[4, 6, 8], in_index=[0, 1, 2], channels=5, num_classes=3, norm_cfg={"type": "BN"}, dropout_ratio=0
    ).eval()


def test_it_adds_the_enlarged_coarser_levels_to_the_finer_ones() -> None:
    head = _head()
    levels = [torch.randn(2, 4, 16, 12), torch.randn(2, 6, 8, 6), torch.randn(2, 8, 4, 3)]
    with torch.no_grad():
        x = head.smooth[2](head.laterals[2](levels[2]))
        for level in (1, 0):
            x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            x = head.smooth[level](head.laterals[level](levels[level]) + x)
        assert torch.equal(head(levels), head.conv_seg(x))
    assert head(levels).shape == (2, 3, 16, 12)


def test_levels_whose_sides_are_no_multiples() -> None:
    levels = [torch.randn(1, 4, 15, 11), torch.randn(1, 6, 8, 6), torch.randn(1, 8, 4, 3)]
    assert _head()(levels).shape == (1, 3, 15, 11)
