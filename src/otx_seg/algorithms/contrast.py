"""Contrastive loss between regions of two views of the same images, for DetCon and supervised contrastive training.

Hénaff et al., "Efficient visual pretraining with contrastive detection" (2021, https://arxiv.org/abs/2103.10957).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from otx_seg.labels import IGNORE_INDEX

Pair = tuple[Tensor, Tensor]
"""The same thing of the first and of the second view."""


def majority(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """The most frequent id in each cell of a grid over a mask.

    Args:
        ids: integer (B, H, W).
        size: (h, w) of the grid, at most (H, W); a pixel belongs to one cell.

    Returns:
        int64 (B, h, w); of equally frequent ids the smallest.
    """
    height, width = ids.shape[-2:]
    rows = torch.arange(height, device=ids.device) * size[0] // height
    columns = torch.arange(width, device=ids.device) * size[1] // width
    cell = rows[:, None] * size[1] + columns  # (H, W)
    cells = []
    for mask in ids:
        present, places = mask.unique(return_inverse=True)
        votes = torch.bincount((cell * len(present) + places).flatten(), minlength=size[0] * size[1] * len(present))
        cells.append(present[votes.view(*size, len(present)).argmax(dim=2)])
    return torch.stack(cells).long()


def draw_regions(grid: Tensor, count: int) -> Tensor:
    """Draw ids that occur in a grid, each with the same chance, with replacement.

    Args:
        grid: int64 (B, h, w), values 0..255; 255 is never drawn unless there is nothing else.
        count: how many to draw per image, N.

    Returns:
        int64 (B, N).
    """
    drawn = []
    for cells in grid:
        present = cells.unique()
        named = present[present != IGNORE_INDEX]
        chosen = named if len(named) else present
        drawn.append(chosen[torch.randint(len(chosen), (count,)).to(grid.device)])
    return torch.stack(drawn)


def pool_regions(features: Tensor, grid: Tensor, regions: Tensor) -> Tensor:
    """The mean feature of each region (Hénaff et al. 2021, equation 1).

    Args:
        features: (B, C, h, w).
        grid: int64 (B, h, w), the id of each cell.
        regions: int64 (B, N), ids that occur in the grid of their image.

    Returns:
        (B, N, C).
    """
    inside = (grid[:, None] == regions[:, :, None, None]).flatten(2).to(features.dtype)  # (B, N, h*w)
    weights = inside / inside.sum(dim=2, keepdim=True).clamp(min=1)
    return weights @ features.flatten(2).transpose(1, 2)


def region_contrast(predictions: Pair, targets: Pair, regions: Pair, temperature: float) -> Tensor:
    """The contrastive loss of regions: Hénaff et al. 2021, equation 3, for both directions.

    For a region of one view, the same region of the same image in the other view is the positive (there may be several
    copies, since regions are drawn with replacement), and all other regions of both views and of all images are
    negatives, but for copies of the region in its own view. A region that the other view does not have counts 0, and
    copies share the weight of one.

    Args:
        predictions: of the online network, each (B, N, D).
        targets: projections of the target network, each (B, N, D), without gradient.
        regions: int64 ids, each (B, N).
        temperature: above 0.

    Returns:
        scalar >= 0, natural logarithm, the sum of both directions' means.
    """
    counts, rank = _counts(len(targets[0]), targets[0].device)
    first = sum(counts[:rank])
    # Divided by the temperature, similarities need all digits of float32, which mixed precision would take away.
    with torch.autocast(targets[0].device.type, enabled=False):
        keys = [functional.normalize(_gathered(view, counts).float(), dim=2) for view in targets]
        forth = _one_direction(predictions[0], keys[0], keys[1], regions[0], regions[1], first, temperature)
        back = _one_direction(predictions[1], keys[1], keys[0], regions[1], regions[0], first, temperature)
        return forth + back


def _one_direction(
    predictions: Tensor,
    own_keys: Tensor,
    other_keys: Tensor,
    own: Tensor,
    other: Tensor,
    first: int,
    temperature: float,
) -> Tensor:
    """The loss of one view's predictions (B, N, D); keys are the normalised targets (U, N, D) of all processes.

    `first` says where this process's images stand among those of all processes.
    """
    count, drawn, _ = predictions.shape
    queries = functional.normalize(predictions.float(), dim=2)
    # (B, N, U, N) each
    scores = [torch.einsum("bnd,umd->bnum", queries, keys) / temperature for keys in (other_keys, own_keys)]
    same_image = torch.zeros(count, scores[0].shape[2], dtype=torch.bool, device=own.device)
    same_image[torch.arange(count), first + torch.arange(count)] = True
    positive = same_image[:, None, :, None] & (own[:, :, None] == other[:, None])[:, :, None]
    itself = same_image[:, None, :, None] & (own[:, :, None] == own[:, None])[:, :, None]
    scores[1] = scores[1].masked_fill(itself, -torch.inf)
    normaliser = torch.cat([part.flatten(2) for part in scores], dim=2).logsumexp(dim=2)  # (B, N)
    positives = positive.sum(dim=(2, 3))
    mean_positive = (scores[0] * positive).sum(dim=(2, 3)) / positives.clamp(min=1)
    copies = itself.sum(dim=(2, 3))
    weights = (positives > 0) / copies
    return (weights * (normaliser - mean_positive)).sum() / (count * drawn)


def _counts(own: int, device: torch.device) -> tuple[list[int], int]:
    """The number of images of each process, by rank (batches differ by one at times), and the rank of this one."""
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return [own], 0
    counts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(counts, torch.tensor([own], device=device))
    return [int(count) for count in counts], torch.distributed.get_rank()


def _gathered(targets: Tensor, counts: list[int]) -> Tensor:
    """The targets of all processes, in the order of their ranks."""
    if len(counts) == 1:
        return targets
    padded = functional.pad(targets, (0, 0, 0, 0, 0, max(counts) - len(targets)))
    parts = [torch.empty_like(padded) for _ in counts]
    torch.distributed.all_gather(parts, padded.contiguous())
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])
