"""Dividing images in two so that both parts show all labels: iterative stratification with two guarantees.

Sechidis, Tsoumakas & Vlahavas 2011, "On the Stratification of Multi-Label Data": the rarest label is dealt out first,
each of its images to the part that lacks most of it, so that chance does not put a label of a few images on one side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


def choose_validation(shown: Sequence[Collection[int]], labels: int, taken: int, seed: int) -> Flags:
    """Choose the images to validate on.

    1. Images are dealt out label by label, the label in the fewest remaining images first.
    2. A label that only the validation part shows gives an image back: what is never trained on is never found.
    3. A label in two images or more that only the training part shows gives one away, if 2 still holds then.
    4. Images change sides until the number is right, as long as 2 and 3 hold: with many rare labels, more are taken.

    Where no choice satisfies 2 (two images with a label of their own each), one image is taken all the same.

    Args:
        shown: for each image the indices of the labels it shows.
        labels: number of labels.
        taken: how many images to choose, 1 to the number of images - 1.
        seed: decides between equals; equal arguments give equal choices, and so do other indices for the same labels.

    Returns:
        bool (number of images): whether to validate on each.
    """
    has = label_flags(shown, labels)
    rng = np.random.default_rng(seed)
    chosen = _deal_out(has, taken, rng)
    chosen = _keep_trainable(has, chosen, rng)
    chosen = _show_in_both(has, chosen, rng)
    chosen = _fit_number(has, chosen, taken, rng)
    if not chosen.any():
        spoilt = (has & (has.sum(axis=0) == 1)).sum(axis=1)
        chosen[any_of(spoilt == spoilt.min(), rng)] = True
    return chosen


def label_flags(shown: Sequence[Collection[int]], labels: int) -> Flags:
    """bool (images, labels): which image shows which label. Labels that the same images show are one.

    They are in an order of their own, so that what is chosen by them does not depend on how the labels are numbered.
    """
    has = np.zeros((len(shown), labels), bool)
    for image, indices in enumerate(shown):
        has[image, list(indices)] = True
    return np.unique(has, axis=1)


def _deal_out(has: Flags, taken: int, rng: np.random.Generator) -> Flags:
    """Step 1; column 0 of what is wanted is for training, column 1 for validation."""
    count = len(has)
    of_all = np.array([count - taken, taken], float)
    shares = of_all / count
    images = has.sum(axis=0)
    # The paper rounds a label in two images off to none for validation.
    wanted_for_validation = np.maximum(images * shares[1], np.clip(images - 1, 0, 1))
    of_label = np.stack((images - wanted_for_validation, wanted_for_validation), axis=1)
    chosen, left = np.zeros(count, bool), np.ones(count, bool)
    while left.any():
        remaining = has[left].sum(axis=0)
        label = int(np.where(remaining > 0, remaining, count + 1).argmin()) if remaining.any() else None
        group = np.flatnonzero(left & has[:, label]) if label is not None else np.flatnonzero(left)
        for image in rng.permutation(group):
            wanted = of_label[label] if label is not None else of_all
            if np.isclose(wanted[0], wanted[1]):
                wanted = of_all
            side = int(rng.integers(2)) if np.isclose(wanted[0], wanted[1]) else int(wanted.argmax())
            chosen[image], left[image] = bool(side), False
            of_all[side] -= 1
            of_label[has[image], side] -= 1
    return chosen


def _keep_trainable(has: Flags, chosen: Flags, rng: np.random.Generator) -> Flags:
    chosen = chosen.copy()
    while len(lost := np.flatnonzero(has.any(axis=0) & ~has[~chosen].any(axis=0))):
        chosen[any_of(chosen & has[:, lost[0]], rng)] = False
    return chosen


def _show_in_both(has: Flags, chosen: Flags, rng: np.random.Generator) -> Flags:
    chosen = chosen.copy()
    for label in np.flatnonzero(has.sum(axis=0) > 1):
        movable = ~chosen & has[:, label] & _spare(has, ~chosen)
        if not has[chosen, label].any() and movable.any():
            chosen[any_of(movable, rng)] = True
    return chosen


def _fit_number(has: Flags, chosen: Flags, taken: int, rng: np.random.Generator) -> Flags:
    chosen = chosen.copy()
    while (surplus := int(chosen.sum()) - taken) != 0:
        from_validation = surplus > 0
        side = chosen if from_validation else ~chosen
        movable = side & _spare(has, side)
        if not movable.any():
            break
        chosen[any_of(movable, rng)] = not from_validation
    return chosen


def _spare(has: Flags, side: Flags) -> Flags:
    """The images without which a side shows all its labels still."""
    single = has[side].sum(axis=0) == 1
    return np.asarray(~(has & single).any(axis=1))


def any_of(images: Flags, rng: np.random.Generator) -> int:
    """The index of one of those that are marked."""
    return int(rng.choice(np.flatnonzero(images)))
