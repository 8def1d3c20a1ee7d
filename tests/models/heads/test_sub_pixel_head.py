import pytest
import torch
import torch.nn.functional as functional
from torch.testing import assert_close

from otx_seg.models.heads.sub_pixel_head import SubPixelConv2d, SubPixelHead


@torch.no_grad()
def test_each_place_of_a_square_has_weights_of_its_own() -> None:
    torch.manual_seed(0)
    conv, x = SubPixelConv2d(5, 3, 4), torch.randn(2, 5, 3, 2)
    torch.nn.init.normal_(conv.bias)
    y = conv(x)
    assert y.shape == (2, 3, 12, 8)
    for row, column in ((0, 0), (3, 1), (6, 7), (11, 4)):
        weight = conv.weight[:, :, row % 4, column % 4]
        assert_close(y[:, :, row, column], x[:, :, row // 4, column // 4] @ weight.T + conv.bias)
    # The same as a transposed convolution whose kernels do not overlap.
    assert_close(y, functional.conv_transpose2d(x, conv.weight.transpose(0, 1), conv.bias, stride=4))


@torch.no_grad()
def test_the_head_answers_at_the_finer_resolution() -> None:
    torch.manual_seed(0)
    arguments = {"in_channels": 6, "in_index": 1, "channels": 5, "num_classes": 3, "norm_cfg": {"type": "BN"}}
    head = SubPixelHead(factor=2, **arguments).eval()  # type: ignore[arg-type]
    x = torch.randn(2, 6, 7, 5)
    features = (functional.conv2d(x, head.conv.conv.weight, padding=1) / (1 + 1e-5) ** 0.5).clamp_min(0)
    logits = functional.conv_transpose2d(features, head.conv_seg.weight.transpose(0, 1), head.conv_seg.bias, stride=2)
    assert_close(head([x, x]), logits)
    assert logits.shape == (2, 3, 14, 10)
    assert len(head.conv_seg.weight) == len(head.conv_seg.bias) == 3, "a row for each label, as --load-weights needs"


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"factor is 0"):
        SubPixelConv2d(4, 3, 0)
