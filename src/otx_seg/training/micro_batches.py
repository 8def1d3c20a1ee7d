"""A batch in parts that fit into memory, whose averaged gradients are those of the whole."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from torch import Tensor

from otx_seg.labels import IGNORE_INDEX

Batch = dict[str, dict[str, Any]]
"""By view: ``"files"``, a list, and tensors; each has one entry per image."""


def micro_batches(batch: Batch, size: int) -> list[tuple[float, Batch]]:
    """Divide the images of each view evenly.

    Args:
        batch: the first view is one of images with masks, or of images alone.
        size: images of the first view per part at most; more where a part would have one image, which batch
            normalisation cannot do with.

    Returns:
        Each part, and its share of the labelled pixels of the first view, or of its images without masks; the shares
        add up to 1. A mean over labelled pixels, times the share, adds up to the mean of the whole.
    """
    first = next(iter(batch.values()))
    images = len(first["files"])
    count = min(math.ceil(images / size), max(images // 2, 1)) if size > 1 else images
    if count == 1:
        return [(1.0, batch)]
    parts: list[Batch] = [{} for _ in range(count)]
    for name, view in batch.items():
        bounds = [index * len(view["files"]) // count for index in range(count + 1)]
        for part, (start, end) in zip(parts, pairwise(bounds), strict=True):
            part[name] = {key: values[start:end] for key, values in view.items()}
    weights = [_weight(next(iter(part.values()))) for part in parts]
    total = sum(weights)
    return [(weight / total if total else 1 / count, part) for weight, part in zip(weights, parts, strict=True)]


def _weight(view: dict[str, Any]) -> int:
    mask: Tensor | None = view.get("mask")
    return len(view["files"]) if mask is None else int((mask != IGNORE_INDEX).sum())
