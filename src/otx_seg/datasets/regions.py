"""Regions of images without masks: the pseudo-masks that self-supervised training compares.

A region is where colours change little, found by the graph-based segmentation of Felzenszwalb & Huttenlocher,
"Efficient graph-based image segmentation" (2004, https://doi.org/10.1023/B:VISI.0000022288.19776.77).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from otx_seg.annotations.masks import MAX_LABELS, MaskCode
from otx_seg.annotations.samples import Sample, Subset
from otx_seg.datasets.loading.loader import open_loader
from otx_seg.datasets.unlabelled import ImageSet
from otx_seg.labels import IGNORE_INDEX, Labels, default_colors
from otx_seg.runtime.image_headers import file_and_page, open_header, read_bytes
from otx_seg.runtime.images import decode_image
from otx_seg.runtime.processors import processor_count
from otx_seg.workspace.atomic import write_atomic

_NAMES = tuple(f"region {number}" for number in range(MAX_LABELS))
_STEM = 40  # characters of an image's name in that of its pseudo-mask, for people; the digest makes it unique
_DIGEST = 32
_VERSION = 1
"""Of how images are divided; pseudo-masks of another version are made again."""


@dataclass(frozen=True)
class Division:
    """How images are divided into regions.

    Attributes:
        scale: larger values make larger regions, above 0.
        min_size: pixels that a region has at least, counted in the shrunk image.
        longest_side: images are shrunk to this for the division, in pixels.
    """

    scale: float
    min_size: int
    longest_side: int

    def regions(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Divide an image.

        Args:
            image: uint8 (H, W, 3) RGB.

        Returns:
            uint8 (H, W): the number of each pixel's region, 0 for the largest; 255 for those beyond the 254 largest.
        """
        from skimage.segmentation import felzenszwalb  # slow to import

        height, width = image.shape[:2]
        shrink = min(1.0, self.longest_side / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        found = felzenszwalb(image, scale=self.scale, min_size=self.min_size)
        largest = np.argsort(-np.bincount(found.ravel()), kind="stable")
        number = np.full(len(largest), IGNORE_INDEX, np.uint8)
        number[largest[:MAX_LABELS]] = np.arange(min(len(largest), MAX_LABELS))
        return cv2.resize(number[found], (width, height), interpolation=cv2.INTER_NEAREST)


class _Divided(Dataset[tuple[str, bytes | None]]):
    """For each image the name of its pseudo-mask, and the PNG file to write if there is none yet."""

    def __init__(self, images: ImageSet, folder: Path, division: Division) -> None:
        self.images, self.folder, self.division = images, folder, division

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[str, bytes | None]:
        path = self.images.paths[index]
        content = read_bytes(path)
        # A name that follows from the image's content and from how it is divided fits no other image.
        how = f"{_VERSION} {self.division} {file_and_page(path)[1] or ''}".rstrip()
        digest = hashlib.sha256(how.encode() + content).hexdigest()[:_DIGEST]
        name = f"{Path(path).stem[:_STEM]}_{digest}.png"
        if (self.folder / name).is_file():
            return name, None
        regions = self.division.regions(decode_image(content, open_header(content, path), path))
        return name, cv2.imencode(".png", regions)[1].tobytes()


def open_regions(
    images: ImageSet,
    folder: Path,
    division: Division,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Subset, int]:
    """Images with pseudo-masks, which are made in parallel unless they lie in a folder already.

    Args:
        images: at least one.
        folder: where the pseudo-masks are, and where missing ones are written to; made if needed.
        division: how the images are divided.
        workers: processes that divide; 0: none but this one; None: one per processor.
        progress: called with the number of images done so far, after each one.

    Returns:
        the images, each with its pseudo-mask, labelled by region; and how many pseudo-masks were made.

    Raises:
        DataError: an image cannot be read.
        OSError: a pseudo-mask cannot be written.
    """
    names, made = [], 0
    workers = min(processor_count(), len(images)) if workers is None else workers
    divided = _Divided(images, folder, division)
    with open_loader(divided, workers, sampler=range(len(images)), batch_size=None, collate_fn=_as_it_is) as loader:
        for name, content in loader:
            if content is not None:
                write_atomic(folder / name, content)
                made += 1
            names.append(name)
            if progress is not None:
                progress(len(names))
    samples = tuple(Sample(images.name(index), name, str(images.root), str(folder)) for index, name in enumerate(names))
    labels = Labels(_NAMES, default_colors(len(_NAMES)), None)
    return Subset(images.root, labels, samples, (), MaskCode(_NAMES, (None,) * len(_NAMES))).stamped(), made


def _as_it_is(item: tuple[str, bytes | None]) -> tuple[str, bytes | None]:
    return item
