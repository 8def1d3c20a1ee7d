"""Pictures of a model's answers, and which images they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from otx_seg.annotations.samples import spread
from otx_seg.datasets import Subset
from otx_seg.inference.pictures import pictures_of
from otx_seg.inference.predictor import load_predictor


def test_the_images_are_spread_over_the_subset_and_always_the_same(tiny_weights: Path, tiny_data: Subset) -> None:
    predictor = load_predictor(tiny_weights)
    pictures = pictures_of(predictor, replace(tiny_data, samples=tiny_data.samples * 3))
    assert [picture.name for picture in pictures] == ["0.png", "2.png", "0.png", "2.png", "0.png", "2.png"]
    for picture, again in zip(pictures[:2], pictures_of(predictor, tiny_data, 2), strict=True):
        sample = next(one for one in tiny_data.samples if one.name == picture.name)
        assert_array_equal(picture.image, tiny_data.read_image(sample))
        assert_array_equal(picture.truth, tiny_data.read_mask(sample))
        assert_array_equal(picture.prediction, again.prediction)
        # The ground truth are the network's, worked out otherwise.
        assert (picture.prediction != picture.truth).mean() < 0.01
        assert {values.dtype for values in (picture.image, picture.truth, picture.prediction)} == {np.dtype(np.uint8)}
        image, truth, prediction = picture.drawn()
        assert image.shape == truth.shape == prediction.shape == (60, 100, 3)
        assert (truth[picture.truth > 0] != image[picture.truth > 0]).any()
        assert_array_equal(truth[picture.truth == 0], image[picture.truth == 0])


@pytest.mark.parametrize(("number", "limit", "chosen"), [(10, 4, [0, 2, 5, 7]), (2, 6, [0, 1]), (3, 0, [])])
def test_spread(number: int, limit: int, chosen: list[int]) -> None:
    assert spread(range(number), limit) == chosen
