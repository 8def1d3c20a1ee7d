import json
from collections.abc import Mapping

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from parity import FOLDER, needs_recordings

from otx_seg.models.backbones.efficientnet_lite import EfficientNetLite, SameConv2d
from otx_seg.template import load
from otx_seg.workspace.published_weights import find_local
from otx_seg.workspace.tensor_file import read_tensors

CHANNELS = {"lite0": (16, 24, 40, 112, 320), "lite1": (16, 24, 40, 112, 320), "lite2": (16, 24, 48, 120, 352)}


@pytest.fixture(scope="module")
def published() -> Mapping[str, torch.Tensor]:
    """The ImageNet weights that are installed with the toolkit."""
    path = find_local(load("EfficientNet-Lite0-FPN").pretrained)
    assert path is not None, "the weights package is a dependency"
    tensors: Mapping[str, torch.Tensor] = read_tensors(path)
    return tensors


@pytest.mark.parametrize(("arch", "channels"), CHANNELS.items())
@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 33)])
def test_levels(arch: str, channels: tuple[int, ...], height: int, width: int) -> None:
    network = EfficientNetLite(arch).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        levels = network(torch.zeros(1, 3, height, width))
    sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in range(1, 6)]
    assert [(level.shape[1], *level.shape[2:]) for level in levels] == [
        (count, *size) for count, size in zip(channels, sizes, strict=True)
    ]


def test_what_no_level_needs_is_not_built() -> None:
    whole, part = EfficientNetLite("lite0").eval(), EfficientNetLite("lite0", out_indices=[2, 1]).eval()
    assert len(part._blocks) < len(whole._blocks)
    part.load_state_dict({key: whole.state_dict()[key] for key in part.state_dict()})
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert all(torch.equal(one, other) for one, other in zip(part(image), whole(image)[1:3], strict=True))


@pytest.mark.parametrize("arguments", [{"arch": "b0"}, {"arch": "lite0", "out_indices": [5]}])
def test_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"lite0, lite1, lite2|levels are 0 to 4"):
        EfficientNetLite(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("side", [5, 6, 7, 8])
def test_same_padding_centres_the_kernel_as_tensorflow_does(kernel: int, side: int) -> None:
    # TensorFlow: of max((ceil(n / 2) - 1) * 2 + k - n, 0) zeros, the smaller half is in front.
    total = max((-(-side // 2) - 1) * 2 + kernel - side, 0)
    image, conv = torch.randn(1, 1, side, side), SameConv2d(1, 1, kernel, stride=2)
    padded = functional.pad(image, (total // 2, total - total // 2) * 2)
    with torch.no_grad():
        assert torch.equal(conv(image), functional.conv2d(padded, conv.weight, stride=2))


def test_the_keys_are_those_of_the_installed_weights(published: Mapping[str, torch.Tensor]) -> None:
    own = EfficientNetLite("lite0").state_dict()
    assert {key: value.shape for key, value in own.items()} == {key: published[key].shape for key in own}
    rest = {key.split(".")[0] for key in published.keys() - own.keys()}
    assert rest == {"_conv_head", "_bn1", "_fc"}, "what is left of the file is the classifier"


@needs_recordings
def test_levels_and_logits_are_the_published_ones(published: Mapping[str, torch.Tensor]) -> None:
    network = EfficientNetLite("lite0").eval()
    keys = json.loads((FOLDER / "efficientnet_lite0.state_dict.json").read_text())
    assert keys == {key: list(value.shape) for key, value in published.items()}
    network.load_state_dict({key: published[key] for key in network.state_dict()})
    place = np.arange(3 * 96 * 128, dtype=np.float64)
    image = 100 * np.sin(0.37 * place + 0.01 * (place % 101)) + 110
    normalised = torch.from_numpy(((image - 127) / 128).reshape(1, 3, 96, 128)).float()
    recorded = np.load(FOLDER / "efficientnet_lite0.npz")
    with torch.no_grad():
        levels = network(normalised)
        features = functional.conv2d(levels[-1], published["_conv_head.weight"])
        statistics = [published[f"_bn1.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        features = functional.relu6(functional.batch_norm(features, *statistics, eps=1e-3))
        logits = features.mean(dim=(2, 3)) @ published["_fc.weight"].T + published["_fc.bias"]
    for index, level in enumerate(levels):
        assert np.abs(level[0, :8, :6, :6].numpy() - recorded[f"level_{index}"]).max() <= 1e-4
        assert np.abs(level[0].mean(dim=(1, 2)).numpy() - recorded[f"mean_{index}"]).max() <= 1e-4
    assert np.abs(logits.numpy() - recorded["logits"]).max() <= 1e-4
