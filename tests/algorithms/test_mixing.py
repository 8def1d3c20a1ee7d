"""Boxes and regions that change places, with their labels."""

from __future__ import annotations

import torch

from otx_seg.algorithms.mixing import mix_boxes, paste_labels


def test_boxes_come_with_their_labels() -> None:
    torch.manual_seed(0)
    images = torch.arange(4).view(4, 1, 1, 1).expand(4, 3, 20, 30).to(torch.uint8)
    labels = torch.arange(4).view(4, 1, 1).expand(4, 20, 30)
    mixed, mixed_labels = mix_boxes(images, labels, 1.0)
    for index in range(4):
        other = mixed_labels[index] != index
        assert (mixed_labels[index][other] == (index - 1) % 4).all()
        assert 0.4 < other.float().mean() < 0.6
        rows, columns = other.any(dim=1), other.any(dim=0)
        assert torch.equal(other, rows[:, None] & columns[None])  # a box
    assert all(torch.equal(mixed[:, channel].long(), mixed_labels) for channel in range(3))
    same, same_labels = mix_boxes(images, labels, 0.0)
    assert torch.equal(same, images)
    assert torch.equal(same_labels, labels)


def test_regions_are_pasted_with_their_labels() -> None:
    torch.manual_seed(0)
    masks = torch.randint(0, 5, (2, 12, 12), dtype=torch.uint8)
    masks[0, :3] = 255
    donors = masks[:, None].repeat(1, 3, 1, 1) + 100  # what is pasted can be told by its colour
    images = torch.zeros(5, 3, 12, 12, dtype=torch.uint8)
    pasted, true = paste_labels(images, donors, masks, 1.0)
    for index in range(5):
        mask, inside = masks[index % 2], true[index] != 255
        chosen = true[index][inside].unique()
        assert len(chosen) == 3  # of five
        assert torch.equal(inside, torch.isin(mask, chosen.to(torch.uint8)))
        assert torch.equal(true[index][inside], mask[inside].long())
        assert torch.equal(pasted[index], torch.where(inside, donors[index % 2], images[index]))
    assert len({tuple(true[index].unique().tolist()) for index in range(5)}) > 1
    same, none = paste_labels(images, donors, masks, 0.0)
    assert torch.equal(same, images)
    assert (none == 255).all()
    assert (paste_labels(images, donors, torch.full_like(masks, 255), 1.0)[1] == 255).all()
