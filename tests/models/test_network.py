import pytest
import torch
from small_network import with_further_outputs
from torch.nn.functional import interpolate

from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.network import Deployable, SegmentationNetwork, log_odds, two_logits
from otx_seg.template import load


def _network() -> SegmentationNetwork:
    torch.manual_seed(0)
    return SegmentationNetwork(build_model("Lite-HRNet-s-mod2", 4)).eval()


def test_normalisation_by_hand() -> None:
    """A network that sees (image - mean) / std gives what the bare one gives for that."""
    network = _network()
    images = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    mean = torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1)
    with torch.no_grad():
        bare = network.network
        expected = bare.decode_head(bare.backbone((images.float() - mean) / std))
        expected = torch.nn.functional.interpolate(expected, (64, 32), mode="bilinear", align_corners=False)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(network(images.float()), network(images))


def test_given_mean_and_std_win() -> None:
    network = SegmentationNetwork(build_model("Lite-HRNet-s-mod2", 2), mean=[1, 2, 3], std=[2, 4, 8])
    assert network.mean.flatten().tolist() == [1, 2, 3]
    assert network.scale.flatten().tolist() == [0.5, 0.25, 0.125]


def test_the_state_holds_only_the_network() -> None:
    network = _network()
    assert all(key.startswith(("network.backbone.", "network.decode_head.")) for key in network.state_dict())


def test_deployable_gives_probabilities() -> None:
    network = _network()
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        probabilities = Deployable(network)(images)
        logits = network(images)
    assert probabilities.shape == (2, 4, 32, 32)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 32, 32))
    assert torch.equal(probabilities.argmax(1), logits.argmax(1))


def test_the_outputs_of_a_cascade_with_an_auxiliary_head() -> None:
    torch.manual_seed(0)
    network = SegmentationNetwork(build_model(with_further_outputs(), 4)).eval()
    images = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    bare = network.network
    with torch.no_grad():
        output = network.outputs(images)
        levels = bare.backbone((images.float() - network.mean) * network.scale)
        coarse = bare.decode_head[0](levels)
        by_hand = {
            "main": bare.decode_head[1](levels, coarse), "decode_0": coarse, "aux_0": bare.auxiliary_head(levels),
        }  # fmt: skip
    assert list(output.by_name()) == list(by_hand)
    for name, logits in by_hand.items():
        resized = interpolate(logits, (64, 32), mode="bilinear", align_corners=False)
        torch.testing.assert_close(output.by_name()[name], resized, rtol=1e-4, atol=1e-5)
    assert torch.equal(network(images), output.logits)
    assert network.channels == dict.fromkeys(by_hand, 4)
    first, second = output.split([1, 1])
    assert torch.equal(torch.cat((first.others["aux_0"], second.others["aux_0"])), output.others["aux_0"])


def test_what_is_shipped_has_no_auxiliary_head() -> None:
    template = with_further_outputs()
    whole, shipped = build_model(template, 4), build_model(template, 4, shipped_alone=True)
    gone = whole.state_dict().keys() - shipped.state_dict().keys()
    assert gone == {key for key in whole.state_dict() if key.startswith("auxiliary_head.")} != set()


def _binary(threshold: float = 0.5) -> SegmentationNetwork:
    torch.manual_seed(0)
    parameters = {"learning_parameters.binary": True, "learning_parameters.binary_threshold": threshold}
    return SegmentationNetwork(build_model(load("Lite-HRNet-s-mod2").override(parameters), 2)).eval()


@torch.no_grad()
def test_one_channel_gives_the_probabilities_of_two_labels() -> None:
    network, images = _binary(), torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    bare = network.network
    one = bare.decode_head(network.features(images))
    assert one.shape[1] == 1
    by_hand = interpolate(one, (64, 32), mode="bilinear", align_corners=False).sigmoid()
    torch.testing.assert_close(Deployable(network)(images), torch.cat([1 - by_hand, by_hand], dim=1))
    torch.testing.assert_close(network.outputs(images).logits, network(images))
    assert network.channels == {"main": 2}


@torch.no_grad()
def test_from_the_threshold_on_a_pixel_has_the_second_label() -> None:
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    plain = _binary()
    probability = Deployable(plain)(images)[:, 1]
    threshold = float(probability.quantile(0.7))
    moved = _binary(threshold)
    found = Deployable(moved)(images).argmax(1)
    assert 0.29 < found.float().mean() < 0.31
    assert torch.equal(found, (probability > threshold).long())
    torch.testing.assert_close(moved.outputs(images).logits, plain.outputs(images).logits)  # it trains as it did


def test_logits_of_two_labels_by_hand() -> None:
    one = torch.tensor([0.0, 1.0, -2.0]).view(1, 1, 1, 3)
    assert two_logits(one).tolist() == [[[[0.0, -0.5, 1.0]], [[0.0, 0.5, -1.0]]]]
    torch.testing.assert_close(log_odds(two_logits(one)), one)
    torch.testing.assert_close(two_logits(one, 0.75).softmax(1)[0, 1, 0, 0], torch.tensor(0.25))  # 0.5 has odds of 1:3


@pytest.mark.parametrize("name", ["EfficientNet-Lite0-FPN", "SegNeXt-t", "Lite-HRNet-18"])
def test_every_kind_of_head_takes_one_channel(name: str) -> None:
    network = build_model(load(name).override({"learning_parameters.binary": True}), 2)
    assert network.decode_head.conv_seg.weight.shape[0] == 1


def test_one_channel_is_for_two_labels() -> None:
    with pytest.raises(
        UsageError, match=r"learning_parameters.binary is for two labels, and there are 3: set it to false"
    ):
        build_model(load("Lite-HRNet-s-mod2").override({"learning_parameters.binary": True}), 3)
