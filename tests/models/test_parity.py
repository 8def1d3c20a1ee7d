"""The networks give the recorded numbers of the published ones. The recordings live beside the checkout."""

import json
import zlib

import numpy as np
import pytest
import torch
from parity import FOLDER, needs_recordings

from otx_seg.models import build_model


def _fill(key: str, value: torch.Tensor) -> torch.Tensor:
    """The values that the recorded networks had: a generator seeded by the key."""
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return value
    if key.endswith("running_var"):
        return torch.rand(value.shape, generator=generator) + 0.5
    if key.endswith("running_mean"):
        return torch.randn(value.shape, generator=generator) * 0.1
    if "bases" in key:
        return torch.nn.functional.normalize(torch.rand(value.shape, generator=generator), dim=1)
    if value.ndim >= 2:
        return torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
    noise = 0.1 * torch.randn(value.shape, generator=generator)
    return 1 + noise if key.endswith("weight") else noise


@needs_recordings
@pytest.mark.parametrize(
    ("template", "recording"), [("Lite-HRNet-s-mod2", "lite_hrnet_s"), ("SegNext-t", "segnext_tiny")]
)
def test_published_keys_and_logits(template: str, recording: str) -> None:
    network = build_model(template, num_classes=12).eval()
    state = network.state_dict()
    wanted = json.loads((FOLDER / f"{recording}.state_dict.json").read_text())
    assert {key: list(value.shape) for key, value in state.items()} == wanted

    network.load_state_dict({key: _fill(key, value) for key, value in state.items()})
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        logits = network.decode_head(network.backbone(image)).numpy()
    recorded = np.load(FOLDER / f"{recording}.npz")["logits"]
    assert np.abs(logits - recorded).max() <= 1e-5 * np.abs(recorded).max()
