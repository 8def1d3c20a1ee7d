"""Which images a page of a data set shows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from otx_seg.datasets import open_folder
from otx_seg.datasets.check.inspection import Inspection, inspect
from otx_seg.report.contact_sheet import choose_images
from otx_seg.report.page import bar
from otx_seg.words import label_share

RARE = (17, 31)  # the images that show label 2, the second one more of it


@pytest.fixture(scope="module")
def inspection(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    """40 images with labels 0 and 1, two of which show label 2 as well; number 5 is damaged."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for number in range(40):
        mask = np.zeros((8, 8), np.uint8)
        mask[:4] = 1
        if number in RARE:
            mask[6, : 2 + RARE.index(number)] = 2
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(root / "images" / f"{number:02d}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number:02d}.png")
    (root / "images" / "05.png").write_bytes(b"text")
    (root / "dataset_meta.json").write_text(json.dumps({"label_map": {"0": "background", "1": "cat", "2": "dog"}}))
    return inspect("train", "train", open_folder(root)["default"])


def chosen(inspection: Inspection, limit: int) -> list[int]:
    return [int(copy.sample.name[:2]) for copy in choose_images([inspection], limit)]


def test_rare_labels_come_first_and_where_they_are_largest(inspection: Inspection) -> None:
    assert chosen(inspection, 1) == [31]
    assert chosen(inspection, 2) == [17, 31]


def test_the_rest_is_spread_evenly(inspection: Inspection) -> None:
    numbers = chosen(inspection, 10)
    assert len(set(numbers)) == 10
    assert {*RARE} < {*numbers}
    assert numbers == sorted(numbers)
    assert max(np.diff([0, *numbers, 39])) <= 8
    assert 5 not in chosen(inspection, 100)
    assert len(chosen(inspection, 100)) == 39


def test_small_shares_can_be_read_and_seen() -> None:
    shares = (0, 1e-7, 2.6e-5, 0.0043, 0.008, 0.1234, 1)
    assert [*map(label_share, shares)] == ["0", "<0.001", "0.0026", "0.43", "0.80", "12.3", "100.0"]
    assert "width:0.0%" in bar(0)
    assert "width:1.0%" in bar(1e-6)
    assert "width:100.0%" in bar(1.5)
