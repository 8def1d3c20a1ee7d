import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.testing import assert_close

from otx_seg.models.heads.deeplabv3_head import DeepLabV3Head


def _block(module: nn.Module, x: Tensor, dilation: int = 1) -> Tensor:
    border = dilation * (module.conv.weight.shape[-1] // 2)
    y = functional.conv2d(x, module.conv.weight, padding=border, dilation=dilation)
    return (y / (1 + 1e-5) ** 0.5).clamp_min(0)  # a new batch norm divides by the root of 1 + eps


@torch.no_grad()
def test_branches_beside_the_mean_of_the_image() -> None:
    torch.manual_seed(0)
    head = DeepLabV3Head(
        in_channels=6, in_index=0, channels=4, dilations=(1, 2, 3), num_classes=3, norm_cfg={"type": "BN"}
    ).eval()
    x = torch.randn(2, 6, 9, 7)
    mean = _block(head.image_pool[1], x.mean(dim=(2, 3), keepdim=True)).expand(2, 4, 9, 7)
    branches = [_block(head.aspp_modules[index], x, dilation) for index, dilation in enumerate((1, 2, 3))]
    projected = _block(head.bottleneck[0], torch.cat([mean, *branches], dim=1))
    logits = functional.conv2d(_block(head.bottleneck[1], projected), head.conv_seg.weight, head.conv_seg.bias)
    assert_close(head([x]), logits)
    assert [tuple(conv.conv.weight.shape) for conv in head.bottleneck] == [(4, 16, 1, 1), (4, 4, 3, 3)]
