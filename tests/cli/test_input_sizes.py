"""Sizes that a network does not take are refused before any data is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refusals import refused

TEXTS = ("input_size=64x64: SFNet-ResNet18 takes sides from 192 pixels, multiples of 32", "give 192x192")


def test_a_size_below_the_smallest(otx: Any, tmp_path: Path) -> None:
    size = ("params", "--learning_parameters.input_size", "64x64")
    refused(otx("train", "SFNet-ResNet18", "--train-data-roots", tmp_path / "none", *size), *TEXTS)


def test_a_workspace_whose_template_was_edited(otx: Any, drawn_data: Path, tmp_path: Path) -> None:
    space = tmp_path / "space"
    otx("build", "--model", "SFNet-ResNet18", "--train-data-roots", drawn_data, "--workspace", space)
    template = space / "template.yaml"
    template.write_text(template.read_text().replace("input_size: auto", "input_size: 64x64"))
    refused(otx("train", "--workspace", space), str(template), *TEXTS)
