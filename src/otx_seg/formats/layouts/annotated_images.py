"""Images that files of an annotation tool describe: from the regions in them to subsets and masks.

A format reads its files into `AnnotatedImage`s; labels, files that are missing, remarks and painting are the same for
all. Coded pixels stay as they are until a mask is read: there may be thousands of images.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from otx_seg.annotations.label_lists import read_label_list
from otx_seg.annotations.listed_paths import located
from otx_seg.annotations.masks import Color
from otx_seg.annotations.polygons import AnnotatedObjects, Outline, labels_with_background, page, split_polygons
from otx_seg.annotations.samples import Kind, LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.formats import Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, first_of, subset_name
from otx_seg.labels import IGNORE_INDEX, Labels, means_ignored
from otx_seg.runtime.plain_files import shown
from otx_seg.runtime.terminal import printable
from otx_seg.words import listed

logger = logging.getLogger(__name__)

_NAME_LISTS = ("labels.txt", "class_names.txt", "classes.txt")
_LONGEST_NAME = 60  # characters


class Region(NamedTuple):
    """A part of an image with a label.

    Attributes:
        label: its name; None: its pixels are ignored where nothing else lies on it.
        shape: as in `annotations.polygons.Outline`; or ``{"png": base64, "left": x, "top": y}``, perhaps with
            ``"deflated": True``, or ``{"brush": [...]}`` (see `annotations.bitmaps`); or
            ``{"outline": [x, y, ...], "holes": [[x, y, ...], ...], "filled_by": "OpenCV"}`` (or "Pillow"), with its
            border.
    """

    label: str | None
    shape: Any


class AnnotatedImage(NamedTuple):
    """An image and what is known of it.

    Attributes:
        name: path of the image below the root.
        source: path of the file that describes it below the root.
        size: (height, width) in pixels as noted there, or None.
        regions: in the order of painting.
    """

    name: str
    source: str
    size: tuple[int, int] | None
    regions: Sequence[Region]


@dataclass
class Annotations:
    """What the files of a data set say, collected while they are read.

    Attributes:
        root: the folder of the data set.
        names: its labels in their order; None: those that occur, in alphabetical order.
        names_from: the file that lists the labels.
        colors: of labels that have one.
        images: by subset.
        left_out: files without partner, by subset.
    """

    root: Path
    names: Sequence[str] | None = None
    names_from: Path | None = None
    colors: Mapping[str, Color] = field(default_factory=dict)
    images: dict[str, list[AnnotatedImage]] = field(default_factory=dict)
    left_out: dict[str, list[LeftOut]] = field(default_factory=dict)
    _remarks: dict[str, Counter[str]] = field(default_factory=dict)

    def remark(self, what: str, image: str) -> None:
        """Note something to tell the user once for all images: ``{}`` in it stands for how many."""
        self._remarks.setdefault(what, Counter())[image] += 1

    def tell(self) -> None:
        """Say what was noted."""
        for what, images in self._remarks.items():
            first = next(iter(images))
            logger.warning("%s: %s", self.root, what.format(f"{images.total():,}") + f"; the first: {first}")

    def polygon(
        self,
        label: str | None,
        points: list[float],
        image: str,
        filled_by: str | None = None,
        holes: Sequence[list[float]] = (),
    ) -> list[Region]:
        """The region in a polygon; or one to ignore around what has fewer than three points.

        Args:
            filled_by: what paints it with its border and `holes`, see `Region`; None: COCO's rule.
        """
        whole, boxes = split_polygons([points])
        if boxes:
            self.remark("{} polygons have fewer than three points: the pixels in their boxes are ignored", image)
        inner, _ = split_polygons(holes)
        shapes: list[Any] = [[polygon] for polygon in whole]
        if filled_by:
            shapes = [{"outline": polygon, "holes": inner, "filled_by": filled_by} for polygon in whole]
        return [Region(label, shape) for shape in shapes] + [Region(None, [box]) for box in boxes]

    def no_area(self, image: str) -> list[Region]:
        """Nothing, for a line or a point."""
        self.remark("{} lines or points cover no pixels and are skipped", image)
        return []

    def missing(self, subset: str, source: str, name: str) -> None:
        """Note an image that is not there."""
        self.leave_out(subset, "missing_files", f"named in {source}, but not there", name)

    def leave_out(self, subset: str, kind: Kind, reason: str, name: str) -> None:
        """Note a file, see `LeftOut`, by its path below the root."""
        self.left_out.setdefault(subset, []).append(LeftOut(kind, reason, str(self.root), name))


def subset_of(path: str) -> str:
    """The subset that a path below the root of a data set belongs to: train, val or test by its first folder."""
    name = subset_name(path.partition("/")[0]) if "/" in path else DEFAULT_SUBSET
    return name if name in SUBSETS else DEFAULT_SUBSET


def find_image(root: Path, beside: str, name: str) -> str | None:
    """The image that a file of annotations names, as a path below the root, or None.

    Args:
        beside: path of the folder of that file below the root, "" for the root.
        name: as it stands in the file.
    """
    for place in dict.fromkeys((beside, f"{beside}/images".strip("/"), "images", "")):
        found = located(root / place, name)
        if found is not None:
            return f"{place}/{found}" if place else found
    return None


def annotated_subsets(names: Iterable[str], read: Callable[[], Annotations]) -> Subsets:
    """The subsets of these names, all out of what `read` gives, which is called once."""
    once = functools.cache(read)
    return {name: partial(_open, once, name) for name in names}


def _open(read: Callable[[], Annotations], subset: str) -> Subset:
    return open_annotated(read(), subset)


def open_annotated(annotations: Annotations, subset: str) -> Subset:
    """One of the subsets.

    Raises:
        DataError: none of its images is there, an image is described twice, or labels cannot be used.
    """
    root, images = annotations.root, sorted(annotations.images.get(subset, ()), key=lambda image: image.name)
    left_out = annotations.left_out.get(subset, [])
    if not images:
        why = f"; put the images beside the files or in images/: {first_of(left_out)}" if left_out else ""
        raise DataError(f"{root}: no annotated image of the subset {subset} is there{why}")
    for one, other in pairwise(images):
        if one.name == other.name:
            places = one.source if one.source == other.source else f"{one.source} and in {other.source}"
            raise DataError(f"{root}: {one.name} is described twice, in {places}; keep one of them")
    labels, index_of = _numbered(annotations)
    samples = tuple(Sample(image.name, image.source, str(root), str(root)) for image in images)
    pages = {
        image.name: page(
            image.size,
            [
                Outline(index_of.get(region.label, IGNORE_INDEX), region.shape)
                for region in sorted(image.regions, key=lambda region: region.label is not None)
            ],
        )
        for image in images
    }
    reader = AnnotatedObjects(labels.names, labels.background or 0, pages)
    return Subset(root, labels, samples, tuple(left_out), reader)


def _numbered(annotations: Annotations) -> tuple[Labels, dict[str | None, int]]:
    """The labels, and the index of each by its name in the files."""
    used: dict[str, str] = {}
    for images in annotations.images.values():
        for image in images:
            for region in image.regions:
                if region.label is not None:
                    used.setdefault(region.label, image.source)
    where = annotations.names_from or annotations.root
    names = sorted(used) if annotations.names is None else list(annotations.names)
    unknown = [name for name in used if name not in names and not means_ignored(name)]
    if unknown:
        raise DataError(
            f"{annotations.root / used[unknown[0]]}: the label {shown(unknown[0])} is not in {where}, which lists "
            f"{listed([printable(name, _LONGEST_NAME) for name in names])}; add it there"
        )
    labels, indices = labels_with_background(names, where, annotations.colors)
    return labels, dict(zip(names, indices, strict=True))


def listed_names(root: Path) -> tuple[list[str] | None, Path | None]:
    """The labels that the first of `_NAME_LISTS` in a folder lists, one per line, and that file; or None twice.

    Raises:
        DataError: the file cannot be read.
    """
    for name in _NAME_LISTS:
        if (root / name).is_file():
            return list(read_label_list(root / name).names), root / name
    return None, None
