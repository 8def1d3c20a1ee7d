"""Where labels meet, by hand."""

from __future__ import annotations

import pytest
import torch

from otx_seg.targets.edges import Edges, label_edges


def test_both_sides_of_a_border_and_not_the_frame() -> None:
    mask = torch.tensor([[[0, 0, 0, 7, 7, 7]] * 3], dtype=torch.uint8)
    assert Edges()(mask)[0].tolist() == [[0, 0, 1, 1, 0, 0]] * 3
    assert Edges(5)(mask)[0].tolist() == [[0, 1, 1, 1, 1, 0]] * 3
    assert Edges()(mask).dtype == torch.uint8


def test_the_border_to_ignored_pixels_is_an_edge_but_they_stay_ignored() -> None:
    mask = torch.tensor([[[255, 255, 3, 3, 3]] * 3], dtype=torch.uint8)
    assert Edges()(mask)[0].tolist() == [[255, 255, 1, 0, 0]] * 3
    assert label_edges(mask, 3)[0].int().tolist() == [[0, 1, 1, 0, 0]] * 3


def test_dilation_minus_erosion_of_each_label() -> None:
    mask = torch.randint(0, 5, (2, 12, 9), generator=torch.Generator().manual_seed(0))
    planes = torch.nn.functional.pad(torch.nn.functional.one_hot(mask, 5).movedim(-1, 1).float(), (1,) * 4, "replicate")
    grown = torch.nn.functional.max_pool2d(planes, 3, 1)
    shrunk = -torch.nn.functional.max_pool2d(-planes, 3, 1)
    assert torch.equal(label_edges(mask, 3), (grown != shrunk).any(1))


@pytest.mark.parametrize("width", [1, 4, -3])
def test_widths_that_have_no_centre(width: int) -> None:
    with pytest.raises(ValueError, match=f"width must be an odd number from 3 on, not {width}"):
        Edges(width)
