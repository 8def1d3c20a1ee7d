import pytest
import torch
from mmseg.models.backbones.stdc import STDCNet

from otx_seg.models.backbones.pp_lite_seg_encoder import PPLiteSegEncoder


def test_it_projects_the_levels_of_stdcnet() -> None:
    torch.manual_seed(0)
    encoder = PPLiteSegEncoder("STDCNet1", [6, 8, 10], {"type": "BN"}).eval()
    plain = STDCNet("STDCNet1", 3, (32, 64, 256, 512, 1024), "cat", {"type": "BN"}, {"type": "ReLU"}).eval()
    encoder.stdc.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        found, levels = encoder(images), plain(images)
        assert [tuple(level.shape[1:]) for level in found] == [(6, 8, 12), (8, 4, 6), (10, 2, 3), (1024, 2, 3)]
        for project, level, projected in zip(encoder.projections, levels, found[:3], strict=True):
            assert torch.equal(projected, project(level))
        assert torch.equal(found[3], levels[2])


def test_there_is_a_projection_for_each_level() -> None:
    with pytest.raises(ValueError, match=r"projected_channels is \[6, 8\]"):
        PPLiteSegEncoder("STDCNet1", [6, 8], {"type": "BN"})
