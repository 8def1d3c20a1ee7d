import pytest
import torch
import torch.nn.functional as functional
from torch.testing import assert_close

from otx_seg.models.backbones.vgg import VGG


@torch.no_grad()
@pytest.mark.parametrize(("depth", "convolutions"), [(11, 8), (13, 10), (16, 13), (19, 16)])
def test_depth_counts_the_convolutions_and_three_linear_layers(depth: int, convolutions: int) -> None:
    network = VGG(depth).eval()
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.features) == convolutions
    levels = network(torch.randn(1, 3, 64, 100))
    assert [tuple(level.shape[1:]) for level in levels] == [
        (64, 32, 50),
        (128, 16, 25),
        (256, 8, 12),
        (512, 4, 6),
        (512, 2, 3),
    ]


@torch.no_grad()
def test_levels_are_those_of_plain_convolutions() -> None:
    torch.manual_seed(0)
    network, image = VGG(11, out_indices=(0, 2)).eval(), torch.randn(1, 3, 32, 32)
    x, found = image, []
    for index, pooled in ((0, True), (3, True), (6, False), (8, True)):
        conv = network.features[index]
        x = functional.conv2d(x, conv.weight, conv.bias, padding=1).clamp_min(0)
        if pooled:
            x = functional.max_pool2d(x, 2)
            found.append(x)
    first, third = network(image)
    assert_close((first, third), (found[0], found[2]))
    assert len(network.features) == 11, "what no level needs is not built"


def test_the_keys_are_those_of_the_published_weights() -> None:
    # Of torchvision's vgg16 and vgg16_bn: where the convolutions stand.
    plain, normed = VGG(16), VGG(16, norm_cfg={"type": "BN"})
    places = [int(key.split(".")[1]) for key, value in plain.state_dict().items() if value.ndim == 4]
    assert places == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    places = [int(key.split(".")[1]) for key, value in normed.state_dict().items() if value.ndim == 4]
    assert places == [0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40]
    assert "features.1.running_var" in normed.state_dict()


@pytest.mark.parametrize(
    "arguments", [{"depth": 12}, {"depth": 16, "out_indices": [5]}, {"depth": 16, "out_indices": []}]
)
def test_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"there are 11, 13, 16, 19|levels are 0 to 4"):
        VGG(**arguments)  # type: ignore[arg-type]
