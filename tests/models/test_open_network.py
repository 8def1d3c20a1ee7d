import pytest
import torch
from every_template import template_names
from torch import nn
from torch.testing import assert_close

from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.heads.sub_pixel_head import SubPixelConv2d
from otx_seg.models.network import Deployable, SegmentationNetwork, stages
from otx_seg.models.open_network import OpenClassifier, OpenNetwork
from otx_seg.models.quantized_conv import InputQuantizer, QuantizedConv2d
from otx_seg.models.segmentors import Segmentor


def test_a_classifier_by_hand() -> None:
    classifier = nn.Conv2d(2, 2, 1)
    classifier.weight = nn.Parameter(torch.tensor([[1.0, 2.0], [-1.0, 0.5]]).view(2, 2, 1, 1))
    classifier.bias = nn.Parameter(torch.tensor([10.0, 20.0]))
    opened = OpenClassifier(classifier)
    features = torch.tensor([[[[3.0, 0.0]], [[4.0, 2.0]]]])  # two channels, two places
    assert opened(features).tolist() == [[[[21.0, 14.0]], [[19.0, 21.0]]]]
    assert opened.class_activation.tolist() == [[[[11.0, 4.0]], [[-1.0, 1.0]]]]
    assert opened.feature_map is features
    assert OpenClassifier(nn.Conv2d(2, 2, 1, bias=False))(features).shape == (1, 2, 1, 2)


@torch.no_grad()
def test_a_quantised_classifier_rounds_when_it_is_opened_too() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 3, 1)
    features = torch.rand(2, 5, 4, 4)
    rounded = QuantizedConv2d(conv, InputQuantizer(0.1, 3))
    opened = OpenClassifier(rounded)
    assert_close(opened(features), rounded(features))
    assert not torch.allclose(opened(features), conv(features), atol=1e-3)
    assert conv.bias is not None
    assert_close(opened.class_activation + conv.bias.view(1, 3, 1, 1), rounded(features))


@pytest.mark.parametrize("template", template_names())
@torch.no_grad()
def test_what_it_shows_is_what_the_network_decides_on(template: str) -> None:
    torch.manual_seed(0)
    network = SegmentationNetwork(build_model(template, 3)).eval()
    head = network.main_head
    if not isinstance(head.conv_seg, nn.Conv2d):
        pytest.skip("it ends in something else, which is refused")
    nn.init.normal_(head.conv_seg.bias)
    images = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    probabilities, vector, feature_map, activation = OpenNetwork(network).eval()(images)
    assert_close(probabilities, Deployable(network)(images))
    if isinstance(network.network, Segmentor):
        return  # what is opened is one of its looks at the image
    logits = stages(network.network.decode_head, network.features(images))[-1]
    assert_close(activation + head.conv_seg.bias.view(1, 3, 1, 1), logits, rtol=1e-3, atol=1e-4)
    assert_close(head.conv_seg(feature_map), logits, rtol=1e-3, atol=1e-4)
    assert feature_map.shape[:2] == (2, head.channels)
    finer = head.conv_seg.weight.shape[-1] if isinstance(head.conv_seg, SubPixelConv2d) else 1
    assert [finer * side for side in feature_map.shape[2:]] == list(logits.shape[2:])
    assert_close(vector, feature_map.flatten(2).mean(dim=2))


@torch.no_grad()
def test_the_network_stays_as_it_is_and_is_followed() -> None:
    network = SegmentationNetwork(build_model("Lite-HRNet-s-mod2", 3)).eval()
    keys = list(network.state_dict())
    opened = OpenNetwork(network).eval()
    assert type(network.network.decode_head.conv_seg) is nn.Conv2d
    assert list(network.state_dict()) == keys
    assert list(opened.network.state_dict()) == keys
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    before = opened(images)[0]
    network.network.decode_head.conv_seg.bias[1] += 5
    assert_close(opened(images)[0], Deployable(network)(images))
    assert not torch.allclose(opened(images)[0], before)


def test_another_end_is_refused() -> None:
    network = SegmentationNetwork(build_model("Lite-HRNet-s-mod2", 3))
    network.network.decode_head.conv_seg = nn.Conv2d(60, 3, 3)
    with pytest.raises(UsageError, match=r"AggregatedFCNHead does not end in a convolution with an output for each"):
        OpenNetwork(network)
    with pytest.raises(UsageError, match=r"ENetHead does not end in a convolution with an output for each"):
        OpenNetwork(SegmentationNetwork(build_model("ENet", 3)))
