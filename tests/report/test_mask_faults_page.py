"""The picture of what differs between a mask and what a network sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from otx_seg.datasets.check.mask_faults import Contradiction, Kind, MaskFaults, SuspectMask
from otx_seg.inference.pictures import Picture
from otx_seg.labelling.judgement import Judgement, KeptJudgements
from otx_seg.labels import Labels, default_colors
from otx_seg.report.mask_faults_page import draw_difference, draw_mask_faults

LABELS = Labels(("background", "cat"), default_colors(2), 0)
TOLD, OTHER = (slice(4, 24), slice(4, 24)), (slice(40, 60), slice(40, 60))


@pytest.fixture
def judgement() -> Judgement:
    """Two squares that the network sees, and the mask lacks."""
    predicted = np.zeros((64, 64), np.uint8)
    predicted[TOLD] = predicted[OTHER] = 1
    mask = np.zeros_like(predicted)
    return Judgement(mask, predicted, np.full_like(mask, 255), mask)


def drawn(judgement: Judgement, *kinds: Kind) -> NDArray[np.uint8]:
    image = np.full((64, 64, 3), 100, np.uint8)
    told = [Contradiction(kind, "background", "cat", (4, 4, 20, 20), 400, 5.0) for kind in kinds]
    return draw_difference(Picture("a.png", LABELS, image, judgement.mask, judgement.predicted), told, judgement, 1.0)


def test_what_is_told_stands_out(judgement: Judgement) -> None:
    picture = drawn(judgement, "missing region").astype(int)
    strong, pale = picture[14, 14], picture[50, 50]
    assert np.ptp(strong) > 150  # orange
    assert 0 < np.ptp(pale) < 80
    assert (picture[4, 14] == 0).all()  # outlined
    assert picture[32, 0].min() > 150  # no frame


def test_a_mask_as_a_whole_has_a_frame_and_all_that_differs(judgement: Judgement) -> None:
    alone = drawn(judgement, "shifted mask").astype(int)
    assert (alone[32, 0] == 0).all()
    assert (alone[14, 14] == alone[50, 50]).all()
    both = drawn(judgement, "shifted mask", "missing region").astype(int)
    assert (both[32, 0] == 0).all()
    assert np.ptp(both[14, 14]) > np.ptp(both[50, 50])


@pytest.mark.parametrize("subsets", [1, 2])
def test_a_subset_is_named_if_there_are_several(subsets: int, judgement: Judgement, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 64, 3), 100, np.uint8))
    kept = KeptJudgements(tmp_path)
    kept.keep(0, judgement)
    told = Contradiction("missing region", "background", "cat", (4, 4, 20, 20), 400, 5.0)
    mask = SuspectMask(1, "the-default", "a.png", str(tmp_path / "a.png"), 0, (told,))
    page = draw_mask_faults(MaskFaults(1, "one network", (mask,)), LABELS, kept, subsets)
    assert ("the-default" in page) == (subsets == 2)
    assert "background: no colour" in page
