"""Reads labelled and unlabelled images once, and keeps of each the little that choosing needs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import ImageSet
from otx_seg.datasets.check.copies import digest_of_pixels
from otx_seg.errors import DataError
from otx_seg.inputs.labelled import LabelledSubsets
from otx_seg.labelling.choosing import Candidate, LabelledImage
from otx_seg.labelling.models import Models
from otx_seg.labelling.near_copies import thumbnail

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pool:
    """The unlabelled images.

    Attributes:
        candidates: those that are new, in the order of the images.
        paths: of these.
        copies: paths of those that are labelled, or there before under another name: equal pixel by pixel.
        unreadable: those that could not be read, and why.
    """

    candidates: tuple[Candidate, ...]
    paths: tuple[str, ...]
    copies: tuple[str, ...]
    unreadable: tuple[tuple[Path, str], ...]


def measure(
    images: ImageSet,
    labelled: LabelledSubsets,
    models: Models,
    with_features: bool,
    progress: Callable[[int, int], None],
) -> tuple[Pool, list[LabelledImage]]:
    """Look at all images.

    Of an image that is labelled under the same path, or whose pixels are those of an image before, nothing is kept.

    Args:
        labelled: images that cannot be read are passed over.
        with_features: whether choosing needs features.
        progress: called with the numbers of images done and to do.

    Raises:
        DataError: none of the unlabelled images can be read.
        UsageError: see `Models.look_at`.
    """
    count = len(labelled)
    digests: set[bytes] = set()
    known = []
    for number, (subset, sample) in enumerate(labelled.samples(), start=1):
        try:
            image = subset.read_image(sample)
            digests.add(digest_of_pixels(image))
            is_center = with_features and subset is labelled.trained_on
            known.append(LabelledImage(sample.name, thumbnail(image), models.feature_of(image) if is_center else None))
        except DataError as error:
            logger.warning("labelled image left out: %s", error)
        progress(number, count + len(images))
    paths = {os.path.realpath(sample.image) for _, sample in labelled.samples()}

    def advance(done: int) -> None:
        progress(count + done, count + len(images))

    return _measure_pool(images, paths, digests, models, with_features, advance), known


def _measure_pool(
    images: ImageSet,
    paths_of_labelled: set[str],
    digests: set[bytes],
    models: Models,
    with_features: bool,
    progress: Callable[[int], None],
) -> Pool:
    candidates, paths, copies, unreadable = [], [], [], []
    for index, path in enumerate(images.paths):
        progress(index)
        if os.path.realpath(path) in paths_of_labelled:
            copies.append(path)
            continue
        try:
            image = images.read_image(index)
        except DataError as error:
            logger.warning("skipped: %s", error)
            unreadable.append((Path(path), str(error)))
            continue
        digest = digest_of_pixels(image)
        if digest in digests:
            copies.append(path)
            continue
        digests.add(digest)
        seen = models.look_at(image, with_features)
        figures = (float(values.mean()) for values in (seen.uncertainty.entropy, seen.uncertainty.disagreement))
        candidates.append(Candidate(images.name(index), thumbnail(image), seen.feature, *figures))
        paths.append(path)
    progress(len(images))
    if len(unreadable) == len(images):
        raise DataError(f"{images.root}: none of {len(images)} images could be read; the first: {unreadable[0][1]}")
    return Pool(tuple(candidates), tuple(paths), tuple(copies), tuple(unreadable))
