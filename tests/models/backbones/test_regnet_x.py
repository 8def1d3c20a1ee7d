import pytest
import torch
from plain_layers import conv_norm, with_statistics
from torch import nn

from otx_seg.models.backbones.regnet_x import RegNetX, XBlock

CHANNELS = {
    "400MF": (32, 32, 64, 160, 384),
    "800MF": (32, 64, 128, 288, 672),
    "1.6GF": (32, 72, 168, 408, 912),
    "3.2GF": (32, 96, 192, 432, 1008),
}
NORM = {"type": "BN"}


@pytest.mark.parametrize(("arch", "channels"), CHANNELS.items())
@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 33)])
def test_levels(arch: str, channels: tuple[int, ...], height: int, width: int) -> None:
    with torch.device("meta"):
        network = RegNetX(arch).eval()
        levels = network(torch.empty(1, 3, height, width))
    sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(1, 6)]
    assert [(level.shape[1], *level.shape[2:]) for level in levels] == [
        (count, *size) for count, size in zip(channels, sizes, strict=True)
    ]


def test_what_no_level_needs_is_not_built() -> None:
    whole, part = RegNetX("400MF").eval(), RegNetX("400MF", out_indices=[2, 1]).eval()
    assert set(dict(part.trunk_output.named_children())) == {"block1", "block2"}
    part.load_state_dict({key: whole.state_dict()[key] for key in part.state_dict()})
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(part(image), whole(image)[1:3], strict=True))


def test_the_x_block_by_hand() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 9, 7)
    changing = with_statistics(XBlock(6, 8, stride=2, dilation=1, group_width=4, norm=NORM))
    a, b, c = changing.f.children()
    residual = conv_norm(conv_norm(conv_norm(x, a), b, stride=2, padding=1, groups=2), c, relu=False)
    expected = (conv_norm(x, changing.proj, relu=False, stride=2) + residual).clamp_min(0)
    torch.testing.assert_close(changing(x), expected)
    assert expected.shape == (2, 8, 5, 4)

    keeping = with_statistics(XBlock(6, 6, stride=1, dilation=2, group_width=3, norm=NORM))
    a, b, c = keeping.f.children()
    residual = conv_norm(conv_norm(conv_norm(x, a), b, padding=2, dilation=2, groups=2), c, relu=False)
    torch.testing.assert_close(keeping(x), (x + residual).clamp_min(0))


def test_a_dilation_instead_of_a_stride_keeps_what_the_weights_see() -> None:
    """At every second position, the dilated stage gives what the strided one gave."""
    torch.manual_seed(0)
    strided = with_statistics(RegNetX("400MF", out_indices=[4]))
    dilated = RegNetX("400MF", strides=(2, 2, 2, 1), dilations=(1, 1, 1, 2), out_indices=[4]).eval()
    dilated.load_state_dict(strided.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        coarse, fine = strided(image)[0], dilated(image)[0]
    assert fine.shape[2:] == (4, 4)
    torch.testing.assert_close(fine[:, :, ::2, ::2], coarse)


def test_the_keys_are_those_of_the_published_checkpoints() -> None:
    keys = RegNetX("800MF").state_dict().keys()
    block = "trunk_output.block3.block3-0"
    expected = ["stem.0.weight", "stem.1.running_mean", f"{block}.proj.0.weight", f"{block}.f.a.0.weight"]
    assert {*expected, f"{block}.f.b.1.bias", f"{block}.f.c.0.weight"} <= keys
    assert len(keys) == 318, "stem, 16 blocks, 4 shortcuts: 53 convolutions with 6 tensors each"


def test_another_norm() -> None:
    network = RegNetX("400MF", out_indices=[1], norm_cfg={"type": "GN", "num_groups": 4})
    assert any(isinstance(module, nn.GroupNorm) for module in network.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arch": "200MF"}, "there are 400MF, 800MF, 1.6GF, 3.2GF"),
        ({"arch": "400MF", "out_indices": [5]}, "levels are 0 to 4"),
        ({"arch": "400MF", "out_indices": []}, "levels are 0 to 4"),
        ({"arch": "400MF", "strides": [2, 2]}, "four stages"),
        ({"arch": "400MF", "dilations": [1]}, "four stages"),
    ],
)
def test_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RegNetX(**arguments)  # type: ignore[arg-type]
