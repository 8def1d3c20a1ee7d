import torch

from otx_seg.models import build_model
from otx_seg.models.network import Deployable, SegmentationNetwork


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
