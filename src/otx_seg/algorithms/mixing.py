"""Images composed of parts of others, with their labels."""

from __future__ import annotations

import torch
from torch import Tensor

from otx_seg.labels import IGNORE_INDEX


def mix_boxes(images: Tensor, labels: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Give some images a box of the next image in the batch, labels included.

    French et al., "Semi-supervised semantic segmentation needs strong, varied perturbations" (2020,
    https://arxiv.org/abs/1906.01916): an object's edge need not lie where its surroundings suggest. A box covers half
    of the image; its shape and place are random.

    Args:
        images: (U, C, H, W).
        labels: (U, H, W).
        probability: chance of a box per image, 0..1.

    Returns:
        new images and labels of the same shapes.
    """
    count, height, width = labels.shape
    inside = torch.zeros(count, height, width, dtype=torch.bool)
    for index in range(count):
        chance, shape, top, left = torch.rand(4).tolist()
        if chance >= probability:
            continue
        tall = 0.5**shape  # share of the height, 0.5..1; the width makes it half of the area
        rows, columns = round(tall * height), round(0.5 / tall * width)
        row, column = round(top * (height - rows)), round(left * (width - columns))
        inside[index, row : row + rows, column : column + columns] = True
    inside = inside.to(labels.device)
    mixed = torch.where(inside[:, None], images.roll(1, dims=0), images)
    return mixed, torch.where(inside, labels.roll(1, dims=0), labels)


def paste_labels(images: Tensor, donors: Tensor, masks: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Cover parts of images with the regions of half of the labels of other, labelled images.

    Olsson et al., "ClassMix" (2020, https://arxiv.org/abs/2007.07936), with labelled images for donors as in Tranheden
    et al., "DACS" (2020, https://arxiv.org/abs/2007.08702): few labelled objects are seen in front of many backgrounds.

    Args:
        images: (U, 3, H, W).
        donors: (B, 3, H, W); the i-th image gets regions of number i modulo B.
        masks: uint8 (B, H, W), labels of the donors, 255 where there is none.
        probability: chance that an image gets any, 0..1.

    Returns:
        new images, and int64 (U, H, W): the ground-truth labels of what was pasted, 255 elsewhere.
    """
    true = torch.full((len(images), *masks.shape[1:]), IGNORE_INDEX, dtype=torch.int64, device=images.device)
    donors = donors[torch.arange(len(images)) % len(donors)]
    for index in range(len(images)):
        mask = masks[index % len(masks)]
        present = mask.unique()
        present = present[present != IGNORE_INDEX]
        if torch.rand(()) >= probability or not len(present):
            continue
        order = torch.randperm(len(present))[: -(-len(present) // 2)].to(present.device)
        inside = torch.isin(mask, present[order])
        true[index] = torch.where(inside, mask.long(), true[index])
    return torch.where(true[:, None] != IGNORE_INDEX, donors, images), true
