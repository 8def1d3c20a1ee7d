"""What a network says of a mask, and where that is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otx_seg.datasets import Subset
from otx_seg.inference.predictor import load_predictor
from otx_seg.labelling.judgement import LONGEST_SIDE, Judgement, KeptJudgements, judge


def test_probabilities_of_both_labels(tiny_weights: Path, tiny_data: Subset) -> None:
    """The masks are what the network says."""
    predictor = load_predictor(tiny_weights)
    sample = tiny_data.samples[0]
    image, mask = tiny_data.read_image(sample), tiny_data.read_mask(sample)
    other = (mask + 1) % 4
    other[:10] = 255
    right, wrong = judge(predictor, image, mask), judge(predictor, image, other)
    np.testing.assert_array_equal(right.predicted, mask)
    np.testing.assert_array_equal(right.given, right.confidence)
    np.testing.assert_array_equal(wrong.confidence, right.confidence)
    assert (wrong.given[10:].astype(int) <= wrong.confidence[10:]).all()
    assert not wrong.given[:10].any()
    assert right.confidence.min() >= 255 // 4


def test_large_images_are_judged_smaller(tiny_weights: Path) -> None:
    image, mask = np.zeros((30, 2048, 3), np.uint8), np.ones((30, 2048), np.uint8)
    assert judge(load_predictor(tiny_weights), image, mask).mask.shape == (8, LONGEST_SIDE)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    planes = np.random.default_rng(0).integers(0, 256, (4, 5, 7), np.uint8)
    kept = KeptJudgements(tmp_path)
    kept.keep(3, Judgement(*planes))
    np.testing.assert_array_equal(np.stack(kept.read(3)), planes)
