"""Dividing images into the folds of a cross-validation, so that as many folds as possible show each label.

Sechidis, Tsoumakas & Vlahavas 2011, "On the Stratification of Multi-Label Data": the rarest label is dealt out first,
each of its images to the fold that lacks most of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from otx_seg.datasets.stratification import Flags, any_of, label_flags

Folds = NDArray[np.int64]


@dataclass(frozen=True)
class Fold:
    """One part of the images, which is validated on while the others are trained on.

    Attributes:
        number: which, from 1.
        of: how many there are, at least 2.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"fold {self.number} of {self.of}"


def deal_into_folds(shown: Sequence[Collection[int]], labels: int, folds: int, seed: int) -> Folds:
    """Divide images into folds.

    1. Images are dealt out label by label, the label in the fewest remaining images first, each image to the fold that
       lacks most of the label, among equals to the fold that lacks most images.
    2. The folds are made equally large, but for one image, by images whose labels the smaller one lacks.
    3. Images are exchanged as long as a label in two images or more is in one fold alone: nobody could learn it when
       this one is validated on. Where no exchange helps, it stays so.

    Args:
        shown: for each image the indices of the labels it shows.
        labels: number of labels.
        folds: number of folds, 2 to the number of images.
        seed: decides between equals; equal arguments give equal folds, and so do other indices for the same labels.

    Returns:
        int64 (number of images): the fold of each, from 0; none is empty.
    """
    has = label_flags(shown, labels)
    rng = np.random.default_rng(seed)
    return _bring_apart(has, _even_out(has, _deal_out(has, folds, rng), folds, rng), folds, rng)


def _deal_out(has: Flags, folds: int, rng: np.random.Generator) -> Folds:
    count = len(has)
    of_all = np.full(folds, count / folds)
    of_label = np.repeat(has.sum(axis=0)[:, None] / folds, folds, axis=1)  # (labels, folds)
    dealt = np.full(count, -1)
    while (left := dealt < 0).any():
        remaining = has[left].sum(axis=0)
        label = int(np.where(remaining > 0, remaining, count + 1).argmin()) if remaining.any() else None
        group = np.flatnonzero(left & has[:, label]) if label is not None else np.flatnonzero(left)
        for image in rng.permutation(group):
            lacking = _most(of_label[label]) if label is not None else np.ones(folds, bool)
            fold = any_of(_most(np.where(lacking, of_all, -np.inf)), rng)
            dealt[image] = fold
            of_all[fold] -= 1
            of_label[has[image], fold] -= 1
    return dealt


def _even_out(has: Flags, dealt: Folds, folds: int, rng: np.random.Generator) -> Folds:
    """Step 2; rare labels weigh most."""
    dealt = dealt.copy()
    while True:
        sizes = np.bincount(dealt, minlength=folds)
        large, small = any_of(_most(sizes), rng), any_of(_most(-sizes), rng)
        if sizes[large] - sizes[small] < 2:
            return dealt
        counts = _counts(has, dealt, folds)
        gain = has @ ((counts[large] - counts[small]) / np.maximum(counts.sum(axis=0), 1))
        dealt[any_of(_most(np.where(dealt == large, gain, -np.inf)), rng)] = small


def _bring_apart(has: Flags, dealt: Folds, folds: int, rng: np.random.Generator) -> Folds:
    dealt = dealt.copy()
    counts = _counts(has, dealt, folds)
    for label in np.flatnonzero(_confined(counts)):
        order = [rng.permutation(images) for images in (np.flatnonzero(has[:, label]), np.arange(len(has)))]
        for one, other in ((one, other) for one in order[0] for other in order[1]):
            if not _confined(counts)[label]:
                break
            changed = counts.copy()
            changed[dealt[one]] += has[other].astype(int) - has[one]
            changed[dealt[other]] += has[one].astype(int) - has[other]
            if _confined(changed).sum() < _confined(counts).sum():
                counts = changed
                dealt[one], dealt[other] = dealt[other], dealt[one]
    return dealt


def _confined(counts: Folds) -> Flags:
    """The labels in two images or more that are in one fold alone."""
    return np.asarray(((counts > 0).sum(axis=0) == 1) & (counts.sum(axis=0) > 1))


def _counts(has: Flags, dealt: Folds, folds: int) -> Folds:
    """int64 (folds, labels): how many images show each label."""
    return np.stack([has[dealt == fold].sum(axis=0) for fold in range(folds)])


def _most(values: NDArray[np.generic]) -> Flags:
    return np.asarray(np.isclose(values, values.max()))  # type: ignore[call-overload]
