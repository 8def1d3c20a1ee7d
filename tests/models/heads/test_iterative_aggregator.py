import pytest
import torch

from otx_seg.models.heads.iterative_aggregator import IterativeAggregator, spatial_norm


def test_spatial_norm_by_hand() -> None:
    x = torch.tensor([[[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    assert spatial_norm(x).flatten().tolist() == pytest.approx([0.6, 0, 0, 0.8, 0, 0, 0, 0])


def test_merge_with_and_without_norm() -> None:
    branch = torch.full((1, 2, 4, 4), 2.0)
    coarser = torch.full((1, 2, 2, 2), 10.0)
    plain = IterativeAggregator([2, 2], min_channels=0, norm_before_merge=False)
    normed = IterativeAggregator([2, 2], min_channels=0, norm_before_merge=True)
    torch.testing.assert_close(plain.merge(branch, coarser), torch.full((1, 2, 4, 4), 12.0))
    # 16 equal pixels of length 1 are 1/4 each, in both terms.
    torch.testing.assert_close(normed.merge(branch, coarser), torch.full((1, 2, 4, 4), 0.5))


def test_narrow_branches_are_widened() -> None:
    aggregator = IterativeAggregator([3, 6, 10], min_channels=6, norm_before_merge=False)
    branches = [torch.randn(2, 3, 16, 12), torch.randn(2, 6, 8, 6), torch.randn(2, 10, 4, 3)]
    assert aggregator(branches).shape == (2, 6, 16, 12)
    expanded = {key.split(".")[1] for key in aggregator.state_dict() if key.startswith("expanders")}
    assert expanded == {"2"}, "only the finest branch, the last of the walk, is narrower than 6"
