"""The contrast between regions, against slow, literal code."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from otx_seg.algorithms.contrast import draw_regions, majority, pool_regions, region_contrast


def test_majority() -> None:
    ids = torch.tensor([[[1, 1, 7, 7], [1, 7, 7, 7], [9, 9, 2, 3], [0, 9, 3, 3]]], dtype=torch.uint8)
    assert majority(ids, (2, 2)).tolist() == [[[1, 7], [9, 3]]]


def test_majority_in_a_grid_that_does_not_divide_the_mask() -> None:
    ids = torch.tensor([[[1, 1, 1, 4, 4], [1, 1, 1, 4, 4], [2, 2, 2, 2, 3]]])
    # Rows 0 and 1 fall into the first row of cells, columns 0 to 2 into the first column.
    assert majority(ids, (2, 2)).tolist() == [[[1, 4], [2, 2]]]


def test_regions_are_drawn_from_those_present() -> None:
    torch.manual_seed(0)
    grid = torch.tensor([[[4, 4], [4, 200]], [[255, 255], [255, 3]], [[255, 255], [255, 255]]])
    drawn = draw_regions(grid, 1000)
    assert drawn.shape == (3, 1000)
    # The chance does not depend on the area.
    assert 0.45 < (drawn[0] == 4).float().mean() < 0.55
    assert set(drawn[0].tolist()) == {4, 200}
    assert set(drawn[1].tolist()) == {3}
    assert set(drawn[2].tolist()) == {255}


def test_pooling_is_the_mean_over_the_cells() -> None:
    features = torch.arange(8.0).view(1, 2, 2, 2)
    grid = torch.tensor([[[5, 5], [6, 5]]])
    pooled = pool_regions(features, grid, torch.tensor([[6, 5]]))
    torch.testing.assert_close(pooled, torch.tensor([[[2.0, 6.0], [4 / 3, 16 / 3]]]))


def literal(predictions, targets, regions, temperature):  # type: ignore[no-untyped-def]
    """Equation 3 in loops."""
    total = 0.0
    images, drawn, _ = predictions[0].shape
    for own in (0, 1):
        other = 1 - own
        for image in range(images):
            for index in range(drawn):
                region = int(regions[own][image, index])
                query = functional.normalize(predictions[own][image, index], dim=0)

                def score(view: int, image: int, place: int, query: torch.Tensor = query) -> float:
                    return float(query @ functional.normalize(targets[view][image, place], dim=0)) / temperature

                positive = [p for p in range(drawn) if int(regions[other][image, p]) == region]
                if not positive:
                    continue
                candidates = [score(other, u, p) for u in range(images) for p in range(drawn)]
                candidates += [
                    score(own, u, p)
                    for u in range(images)
                    for p in range(drawn)
                    if not (u == image and int(regions[own][u, p]) == region)
                ]
                normaliser = sum(math.exp(value) for value in candidates)
                loss = -sum(math.log(math.exp(score(other, image, p)) / normaliser) for p in positive) / len(positive)
                copies = sum(int(r) == region for r in regions[own][image])
                total += loss / copies / (images * drawn)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_is_the_formula(seed: int) -> None:
    torch.manual_seed(seed)
    predictions, targets = ((torch.randn(3, 5, 4), torch.randn(3, 5, 4)) for _ in range(2))
    regions = torch.randint(0, 4, (3, 5)), torch.randint(0, 4, (3, 5))
    expected = literal(predictions, targets, regions, 0.3)
    assert float(region_contrast(predictions, targets, regions, 0.3)) == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_lowest_for_matching_regions() -> None:
    directions = torch.eye(8).view(2, 4, 8)
    regions = torch.arange(4).expand(2, 4)
    right = region_contrast((directions, directions), (directions, directions), (regions, regions), 0.1)
    assert float(right) == pytest.approx(2 * math.log(1 + 14 * math.exp(-10)), abs=1e-5)
    shifted = directions.roll(1, dims=1)
    wrong = region_contrast((directions, directions), (shifted, shifted), (regions, regions), 0.1)
    assert wrong > 5 * right + 5


def test_gradients_reach_the_predictions_alone() -> None:
    predictions, targets = ((torch.randn(2, 3, 4, requires_grad=flag),) * 2 for flag in (True, False))
    regions = torch.zeros(2, 3, dtype=torch.int64)
    region_contrast(predictions, targets, (regions, regions), 0.1).backward()
    assert predictions[0].grad is not None
