"""Data sets of several kinds: what the toolkit finds in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_kinds import KINDS, draw_kind

from otx_seg.configuration.facts import data_facts
from otx_seg.datasets import open_folder, scan
from otx_seg.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "size", "finest", "across"),
    [
        ("thin", (512, 640), "crack", (2, 12)),
        ("tiny", (512, 512), "grain", (5, 13)),
        ("regions", (128, 192), "", (50, 190)),
    ],
)
def test_each_kind_is_what_it_says(
    kind: str, size: tuple[int, int], finest: str, across: tuple[int, int], tmp_path: Path
) -> None:
    draw_kind(tmp_path, kind, images=4, size=size, seed=1)
    subset = open_folder(tmp_path)["default"]
    report = scan(subset)
    assert subset.labels.names == KINDS[kind].names
    assert report.sizes == ((size, 4),)
    assert all(report.pixels_per_label)
    assert not report.ignored_pixels
    facts = data_facts(report, subset.labels)
    assert across[0] < facts.finest[1] * facts.side < across[1]
    assert finest in ("", facts.finest[0]) or facts.finest[0] in KINDS[kind].names[1:]


def test_thin_structures_have_twelve_bits(tmp_path: Path) -> None:
    draw_kind(tmp_path, "thin", images=1, size=(64, 64), seed=1)
    image = cv2.imread(str(tmp_path / "images" / "0000.png"), cv2.IMREAD_UNCHANGED)
    assert (image.dtype, image.shape) == (np.uint16, (64, 64))
    assert image.max() < 4096
    assert len(np.unique(image)) > 500


def test_equal_arguments_draw_equal_images(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_kind(tmp_path / name, "regions", images=1, size=(64, 64), seed=seed)
    first, again, other = ((tmp_path / name / "images" / "0000.png").read_bytes() for name in "abc")
    assert first == again != other


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="kind=cats: unknown; known: thin, tiny, regions"):
        draw_kind(tmp_path, "cats", 1, (64, 64), 0)
    with pytest.raises(UsageError, match="draw at least one image of at least 64 x 64 pixels"):
        draw_kind(tmp_path, "thin", 1, (64, 32), 0)
    assert not any(tmp_path.iterdir())
