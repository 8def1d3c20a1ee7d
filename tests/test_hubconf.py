"""`hubconf.py`, as `torch.hub` reads it. No test needs a network."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.hub import entry_points, identifier
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import find_templates

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def load(name: str, **arguments: Any) -> Any:
    return torch.hub.load(str(ROOT), name, source="local", **arguments)


def test_every_template_is_an_entry_point() -> None:
    found = runpy.run_path(str(ROOT / "hubconf.py"))
    # As torch.hub lists them.
    names = [name for name, value in found.items() if callable(value) and not name.startswith("_")]
    assert names == [identifier(template.name) for template in find_templates()]
    assert len(names) > 60
    for name, point in entry_points().items():
        assert name.isidentifier()
        assert (point.__name__, "0-255" in (point.__doc__ or "")) == (name, True)
    assert "labels: number of labels" in found["SegNext_t"].__doc__


def test_a_new_network_takes_plain_images() -> None:
    network = load("Lite_HRNet_s_mod2", labels=3)
    assert isinstance(network, SegmentationNetwork)
    assert not network.training
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        logits = network(images)
        assert torch.equal(logits, network(images.float()))
    assert (logits.shape, logits.dtype) == ((2, 3, 64, 96), torch.float32)
    assert load("Lite_HRNet_s_mod2")(images).shape == (2, 2, 64, 96)


def test_trained_weights(tiny_weights: Path) -> None:
    expected = open_checkpoint(tiny_weights, device="cpu")
    assert expected.template is not None
    made_from = expected.template["name"]
    name = identifier(made_from)
    network = load(name, weights=str(tiny_weights))
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(network(images), expected.network(images))
    assert load(name, weights=tiny_weights, labels=4)(images).shape == (1, 4, 64, 64)
    with pytest.raises(UsageError, match="has 4 labels, not 3; leave labels out"):
        load(name, weights=tiny_weights, labels=3)
    with pytest.raises(UsageError, match="pretrained is about a new network"):
        load(name, weights=tiny_weights, pretrained=True)
    with pytest.raises(UsageError, match=rf"is of the template {made_from}, not of SegNext-t"):
        load("SegNext_t", weights=tiny_weights)
    with pytest.raises(UsageError, match=r"nothing\.pth"):
        load(name, weights="nothing.pth")
    with pytest.raises(UsageError, match="at least 2 labels"):
        load(name, labels=1)


def test_published_weights_of_the_backbone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, again = (load("EfficientNet_Lite0_FPN", pretrained=True).network.backbone for _ in range(2))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in first.state_dict().items())
    monkeypatch.setenv("OTX_SEG_WEIGHTS_URL", str(tmp_path))  # an empty folder
    with pytest.raises(OtxError, match="published"):
        load("SegNext_t", pretrained=True)


def test_a_checkout_that_is_not_installed(tmp_path: Path) -> None:
    program = f"import torch; print(torch.hub.load({str(ROOT)!r}, 'ENet', source='local', labels=5).channels)"
    # Without the site's .pth files and PYTHONPATH, which lead to the package, but with what else is installed.
    installed = next(path for path in sys.path if path.endswith("site-packages"))
    program = f"import sys; sys.path.append({installed!r}); {program}"
    command = [sys.executable, "-S", "-E", "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert "'main': 5" in told.stdout, told.stderr
