"""`weights.pth`: what is written comes back, and what is not ours is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from otx_seg import template
from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.workspace.tensor_file import read_tensors
from otx_seg.workspace.weights import read_weights, write_weights

STATE = {"decode_head.conv_seg.weight": torch.arange(6.0).reshape(3, 2, 1, 1), "backbone.x": torch.ones(2)}
LABELS = Labels(("background", "a b", "ü"), default_colors(3), 0)


def test_round_trip(tmp_path: Path) -> None:
    chosen = template.load("SegNext-t").override({"learning_parameters.input_size": "96x128"})
    write_weights(tmp_path / "weights.pth", STATE, LABELS, chosen, "random numbers")
    read = read_weights(tmp_path / "weights.pth")
    assert read.labels == LABELS
    assert read.template == chosen
    assert read.input_size == (96, 128)
    assert read.origin == "random numbers"
    assert all(torch.equal(read.state_dict[key], value) for key, value in STATE.items())


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (self.path,))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"model": Malicious(str(tmp_path / "executed"))}, tmp_path / "evil.pth")
    with pytest.raises(UsageError, match=r"could run code"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 half a zip file"])
def test_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"weights.pth: is not a checkpoint, or is damaged"):
        read_tensors(path)


def test_a_truncated_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    write_weights(path, STATE, LABELS, template.load("SegNext-t"), "")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UsageError, match=r"is not a checkpoint, or is damaged"):
        read_weights(path)


def test_other_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(UsageError, match=r"not one of a segmentation model"):
        read_weights(path)
    with pytest.raises(UsageError, match=r"no such weights file"):
        read_weights(tmp_path / "missing.pth")
    write_weights(path, STATE, Labels(("a", "b"), default_colors(2), None), template.load("SegNext-t"), "")
    with pytest.raises(UsageError, match=r"has 3 outputs but names 2 labels"):
        read_weights(path)


def test_a_checkpoint_of_the_original_toolkit(tmp_path: Path) -> None:
    # It names its labels without the background, as a mapping to colours.
    content = {"model": {"state_dict": STATE}, "labels": {"cat": (1, 2, 3), "dog": (4, 5, 6)}, "VERSION": 1}
    torch.save({**content, "input_size": (512, 512)}, tmp_path / "weights.pth")
    read = read_weights(tmp_path / "weights.pth")
    assert read.labels.names == ("background", "cat", "dog")
    assert read.labels.background == 0
    assert read.template is None
    assert read.input_size == (512, 512)
