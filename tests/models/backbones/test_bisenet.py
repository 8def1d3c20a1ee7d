from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch.testing import assert_close

from otx_seg.models.backbones.bisenet import BiSeNet, FeatureFusion
from otx_seg.models.build import register_ours

register_ours()
RESNET = {"type": "mmseg.ResNet", "depth": 18, "norm_cfg": {"type": "BN"}}
ARGUMENTS: dict[str, Any] = {
    "backbone_cfg": RESNET,
    "backbone_channels": (256, 512),
    "path_channels": 16,
    "reduction": 4,
}


@torch.no_grad()
def test_the_fused_features_are_gated_by_their_mean() -> None:
    torch.manual_seed(0)
    fusion, detail, context = FeatureFusion(8, 4).eval(), torch.randn(2, 4, 5, 6), torch.randn(2, 4, 5, 6)
    x = functional.conv2d(torch.cat([detail, context], dim=1), fusion.conv.conv.weight) / (1 + 1e-5) ** 0.5
    x = x.clamp_min(0)
    first, second = fusion.gate[0], fusion.gate[2]
    narrow = (x.mean(dim=(2, 3)) @ first.weight[:, :, 0, 0].T + first.bias).clamp_min(0)
    gate = torch.sigmoid(narrow @ second.weight[:, :, 0, 0].T + second.bias)
    assert_close(fusion(detail, context), x * (1 + gate[:, :, None, None]))
    assert narrow.shape == (2, 2)


@torch.no_grad()
@pytest.mark.parametrize("side", [(64, 96), (75, 33)])
def test_levels(side: tuple[int, int]) -> None:
    network = BiSeNet(**ARGUMENTS)
    network.eval()
    sizes = [tuple(-(-length // stride) for length in side) for stride in (8, 8, 16)]
    assert [tuple(level.shape[1:]) for level in network(torch.randn(1, 3, *side))] == [
        (channels, *size) for channels, size in zip((32, 16, 16), sizes, strict=True)
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reduction": 0}, r"reduction is 0"),
        ({"reduction": 33}, r"reduction is 33; of 32 channels"),
        ({"path_channels": 15}, r"path_channels is 15; it is even"),
        ({"backbone_channels": (128, 256, 512)}, r"it has two numbers"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BiSeNet(**{**ARGUMENTS, **change})
