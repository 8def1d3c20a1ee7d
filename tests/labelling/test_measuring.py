"""What is kept of images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import open_folder, open_unlabelled
from otx_seg.inputs.labelled import LabelledSubsets
from otx_seg.labelling.measuring import measure
from otx_seg.labelling.models import Models, open_models


@pytest.fixture
def models(small_weights: Path) -> Models:
    return open_models([small_weights])


def test_only_images_trained_on_have_features(models: Models, drawn_data: Path, tmp_path: Path) -> None:
    subsets = LabelledSubsets(
        open_folder(drawn_data / "train")["default"], (open_folder(drawn_data / "val")["default"],)
    )
    (tmp_path / "more").mkdir()
    image = np.full((64, 64, 3), 90, np.uint8)
    cv2.imwrite(str(tmp_path / "more" / "new.png"), image)
    steps: list[tuple[int, int]] = []
    pool, known = measure(open_unlabelled(tmp_path / "more"), subsets, models, True, lambda *step: steps.append(step))
    assert [one.feature is not None for one in known] == [True] * 8 + [False] * 2
    (candidate,) = pool.candidates
    seen = models.look_at(image, with_feature=True)
    assert candidate.feature is not None
    np.testing.assert_allclose(candidate.feature, seen.feature)
    assert candidate.uncertainty == pytest.approx(seen.uncertainty.entropy.mean())
    assert candidate.disagreement == pytest.approx(seen.uncertainty.disagreement.mean())
    assert (steps[0], steps[-1]) == ((1, 11), (11, 11))
    assert {one.feature for one in measure(open_unlabelled(tmp_path / "more"), subsets, models, False, print)[1]} == {
        None
    }


def test_labelled_images_that_cannot_be_read_are_passed_over(
    models: Models, drawn_data: Path, tmp_path: Path, messages: Any
) -> None:
    shutil.copytree(drawn_data / "train", tmp_path / "train")
    subset = open_folder(tmp_path / "train")["default"]
    Path(subset.samples[0].image).write_bytes(b"nothing")
    images = open_unlabelled(drawn_data / "val" / "images")
    pool, known = measure(images, LabelledSubsets(subset), models, False, lambda done, total: None)
    assert (len(pool.candidates), len(known)) == (2, 7)
    assert "labelled image left out: " in messages.text
