"""The ranking of masks: what is usual for a label is not suspected, what is unusual is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otx_seg.annotations.samples import Sample
from otx_seg.datasets import Subset
from otx_seg.datasets.check.mask_faults import SuspectMask
from otx_seg.labelling.judgement import Judgement, KeptJudgements
from otx_seg.labelling.judges import open_judges
from otx_seg.labelling.mask_faults import GivenMask, hardly_known, judge_masks, suspect_masks
from otx_seg.labels import labels_called

LABELS = labels_called(["background", "road", "car", "tree"])
BACKGROUND, ROAD, CAR, TREE = range(4)
SIZE = (120, 160)
SURE = np.full(4, 0.5)


def scene(number: int = 0) -> np.ndarray:
    """A road, a tree, and a car that moves."""
    mask = np.zeros(SIZE, np.uint8)
    mask[60:], mask[10:60, 100:140] = ROAD, TREE
    mask[70:90, 10 + 3 * number : 40 + 3 * number] = CAR
    return mask


def ranked(tmp_path: Path, tiny_data: Subset, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[SuspectMask, ...]:
    """The ranking of masks with what a network sees there; their images are 3 times as large."""
    kept = KeptJudgements(tmp_path)
    masks = []
    for number, (mask, predicted) in enumerate(pairs):
        kept.keep(number, Judgement(mask, predicted, np.full(SIZE, 250, np.uint8), np.full(SIZE, 5, np.uint8)))
        sample = Sample(f"{number}.png", f"{number}.png", "images", "masks")
        masks.append(GivenMask("train", tiny_data, sample, (3 * SIZE[0], 3 * SIZE[1])))
    return suspect_masks(masks, LABELS, SURE, kept)


def test_a_deleted_region_comes_first(tmp_path: Path, tiny_data: Subset) -> None:
    pairs = [(scene(number), scene(number)) for number in range(8)]
    pairs[5] = (np.where(scene(5) == CAR, BACKGROUND, scene(5)).astype(np.uint8), scene(5))
    (found,) = ranked(tmp_path, tiny_data, pairs)
    assert (found.rank, found.file, found.image, found.number, found.subset) == (1, "5.png", "images/5.png", 5, "train")
    (region,) = found.contradictions
    assert (region.kind, region.in_mask, region.predicted) == ("missing region", "background", "car")
    assert region.box == (3 * 25, 3 * 70, 3 * 30, 3 * 20)  # of the image
    assert region.pixels == 9 * 600
    assert region.score == pytest.approx(600 * np.log(250 / 5) / np.log(255) / 120 / 160 / 0.0005)


def test_what_a_network_always_gets_wrong_is_not_suspected(tmp_path: Path, tiny_data: Subset) -> None:
    """It takes every car for a tree. A car that is missing is worth a look, though it is not larger."""
    pairs = [
        (scene(number), np.where(scene(number) == CAR, TREE, scene(number)).astype(np.uint8)) for number in range(8)
    ]
    pairs[3] = (np.where(scene(3) == CAR, ROAD, scene(3)).astype(np.uint8), scene(3))
    assert [mask.file for mask in ranked(tmp_path, tiny_data, pairs)] == ["3.png"]


@pytest.mark.parametrize("right", [8, -8])
def test_a_shifted_mask(tmp_path: Path, tiny_data: Subset, right: int) -> None:
    pairs = [(scene(number), scene(number)) for number in range(8)]
    pairs[2] = (np.roll(scene(2), right, 1), scene(2))
    (found,) = ranked(tmp_path, tiny_data, pairs)
    shift = next(one for one in found.contradictions if one.kind == "shifted mask")
    assert shift.offset == (3 * right, 0)
    assert shift.in_words == f"the mask seems to lie 24 pixels too far {'right' if right > 0 else 'left'}"
    assert shift.box == (0, 0, 480, 360)


def test_the_mask_of_another_image(tmp_path: Path, tiny_data: Subset) -> None:
    pairs = [(scene(number), scene(number)) for number in range(8)]
    pairs[6] = (np.ascontiguousarray(scene(6)[::-1, ::-1]), scene(6))
    (found,) = ranked(tmp_path, tiny_data, pairs)
    assert found.kind == "mask of another image"
    assert len(found.contradictions) == 1


def test_sound_masks_are_not_suspected(tmp_path: Path, tiny_data: Subset) -> None:
    assert ranked(tmp_path, tiny_data, [(scene(number), scene(number)) for number in range(4)]) == ()


def test_the_thresholds_are_the_mean_self_confidence(tmp_path: Path, tiny_weights: Path, tiny_data: Subset) -> None:
    judges, kept = open_judges([tiny_weights]), KeptJudgements(tmp_path)
    masks = [GivenMask("train", tiny_data, sample, (60, 100)) for sample in tiny_data.samples]
    done: list[int] = []
    thresholds = judge_masks(masks, judges, kept, done.append)
    assert done == [1, 2, 3, 4]
    judgements = [kept.read(number) for number in range(4)]
    for label in range(4):
        given = np.concatenate([one.given[one.mask == label] for one in judgements])
        assert thresholds[label] == pytest.approx(given.mean() / 255 if given.size else np.inf)


def test_labels_that_the_networks_have_not_learned_are_named() -> None:
    """A label that no mask has is not one of them."""
    said = hardly_known(LABELS, np.array([0.9, 0.0999, np.inf, 0.02]))
    assert said.startswith("the networks hardly know 'road', 'tree': ")
    assert hardly_known(LABELS, np.array([0.9, 0.1, np.inf, 0.5])) == ""
