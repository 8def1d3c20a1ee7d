from typing import Any

import pytest
import torch
import torch.nn.functional as functional

from otx_seg.models.backbones.enet import ENet
from otx_seg.models.heads.enet_head import ENetHead, TransposedClassifier, UpsamplingBottleneck, unpool_to_maxima


def _head(**changes: Any) -> ENetHead:
    torch.manual_seed(0)
    arguments = {"in_channels": [16, 64, 128], "in_index": [0, 1, 2], "num_classes": 3}
    return ENetHead(**{**arguments, "dropout_ratio": 0.1, "norm_cfg": {"type": "BN"}, **changes})


@pytest.mark.parametrize("decimals", [8, 0])
def test_unpooling_puts_values_where_the_maxima_were(decimals: int) -> None:
    # Whole numbers have many maxima that are equal.
    pooled = torch.randn(2, 5, 12, 8).round(decimals=decimals)
    _, indices = functional.max_pool2d(pooled, 2, return_indices=True)
    x = torch.randn(2, 5, 6, 4, requires_grad=True)
    theirs, ours = functional.max_unpool2d(x, indices, 2), unpool_to_maxima(x, pooled)
    assert torch.equal(ours, theirs)
    probe = torch.randn_like(ours)
    assert torch.equal(*(torch.autograd.grad(result, x, probe)[0] for result in (ours, theirs)))


def test_unpooling_to_an_odd_size_pools_a_border_of_repeated_values() -> None:
    pooled, x = torch.randn(1, 2, 5, 7), torch.randn(1, 2, 3, 4)
    even = functional.pad(pooled, (0, 1, 0, 1), mode="replicate")
    _, indices = functional.max_pool2d(even, 2, return_indices=True)
    expected = functional.max_unpool2d(x, indices, 2)[:, :, :5, :7]
    assert torch.equal(unpool_to_maxima(x, pooled), expected)


def test_a_bottleneck_that_doubles_the_resolution_by_hand() -> None:
    torch.manual_seed(0)
    block = UpsamplingBottleneck(8, 4, 0.1, {"type": "BN"}).eval()
    x, pooled = torch.randn(1, 8, 3, 5), torch.randn(1, 4, 6, 10)
    reduce, norm1, slope1, enlarge, norm2, slope2, expand, _ = block.extension
    with torch.no_grad():
        inner = functional.prelu(norm1(functional.conv2d(x, reduce.weight)), slope1.weight)
        # A transposed 2x2 convolution with stride 2: each position becomes a square of its own.
        squares = torch.einsum("bihw,iouv->bohuwv", inner, enlarge.weight).reshape(1, 2, 6, 10)
        inner = functional.conv2d(functional.prelu(norm2(squares), slope2.weight), expand.weight)
        _, indices = functional.max_pool2d(pooled, 2, return_indices=True)
        main = functional.max_unpool2d(block.main[1](functional.conv2d(x, block.main[0].weight)), indices, 2)
        torch.testing.assert_close(block(x, pooled), functional.prelu(main + inner, block.activation.weight))


def test_the_classifier_is_torchs_transposed_convolution_with_a_row_for_each_label() -> None:
    classifier, x = TransposedClassifier(4, 3), torch.randn(2, 4, 5, 6)
    reference = torch.nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1)
    reference.load_state_dict({"weight": classifier.weight.transpose(0, 1), "bias": classifier.bias})
    torch.testing.assert_close(classifier(x), reference(x))
    assert classifier.weight.shape == (3, 4, 3, 3)
    assert classifier(x).shape == (2, 3, 10, 12)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 33)])
def test_there_is_an_output_for_each_pixel(height: int, width: int) -> None:
    images = torch.randn(1, 3, height, width)
    with torch.no_grad():
        logits = _head().eval()(ENet().eval()(images))
    assert logits.shape == (1, 3, height + height % 2, width + width % 2)


def test_it_takes_three_levels() -> None:
    with pytest.raises(ValueError, match="maps at three resolutions"):
        _head(in_channels=[16, 64], in_index=[0, 1])
