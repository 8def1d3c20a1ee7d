"""Outlines of objects out of formats that Datumaro reads."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.folder import DEFAULT_SUBSET, first_of, subset_name
from otx_seg.datasets.masks import Color
from otx_seg.datasets.outlines import (
    Outline,
    OutlinedObjects,
    ellipse,
    labels_with_background,
    page,
    rectangle,
    split_polygons,
    tell_of_strays,
)
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels

logger = logging.getLogger(__name__)

_OUTLINES, _BOXES = ("polygon", "mask", "ellipse"), ("bbox", "rotated_bbox")


def datumaro_subsets(
    root: Path,
    importer: str,
    describe: Callable[[str, str], str],
    reading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Subsets:
    """The subsets of a data set that Datumaro reads, once and without decoding an image.

    Objects are painted by their z-order, those of the same z-order as they come in the file, like Datumaro's own masks.
    Below all objects lie regions to ignore: boxes that belong to no outline, and crowds, unless everything is a crowd
    (see `otx_seg.datasets.coco_file.read_coco`), and the boxes of polygons of fewer than three points.

    Args:
        importer: Datumaro's name of the format.
        describe: from the name of a subset and the identity of an image in it to the path of the file its objects stand
            in, relative to `root`; for messages.
        reading: a context in which Datumaro reads.

    Raises:
        DataError: Datumaro cannot read it, it has no outlines, or its labels cannot be used.
    """
    with reading():
        dataset = _imported(root, importer)
    from datumaro.components.annotation import AnnotationType

    categories = dataset.categories()
    names = [item.name for item in categories.get(AnnotationType.label, ())]
    labels, indices = labels_with_background(names, root, _colors(categories.get(AnnotationType.mask), names))
    outlines = _Outlines(indices, crowds=_has_crowds(root, dataset))
    return {
        subset_name(name) if name else DEFAULT_SUBSET: partial(_open, root, dataset, name, labels, outlines, describe)
        for name in dataset.subsets()
    }


def _imported(root: Path, importer: str) -> Any:
    from datumaro.components.dataset import Dataset  # slow to import

    try:
        with _quiet(), _any_polygons():
            dataset = Dataset.import_from(str(root), importer)
            dataset.init_cache()
    except Exception as error:  # Datumaro lets through whatever its readers stumble over
        reason = str(error.__cause__ or error) or type(error).__name__
        raise DataError(f"{root}: Datumaro cannot read it as {importer}: {reason.splitlines()[0]}") from error
    return dataset


@contextmanager
def _quiet() -> Iterator[None]:
    """Datumaro speaks through the root logger, which would put all that on the screen from then on."""
    silent = logging.NullHandler()
    logging.getLogger().addHandler(silent)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(silent)


@contextmanager
def _any_polygons() -> Iterator[None]:
    """Datumaro refuses a data set for a single polygon of fewer than three points; here, such are sorted out later."""
    from datumaro.components.annotation import Polygon

    refuse, Polygon.__attrs_post_init__ = Polygon.__attrs_post_init__, lambda polygon: None
    try:
        yield
    finally:
        Polygon.__attrs_post_init__ = refuse


def _colors(categories: Any, names: list[str]) -> dict[str, Color]:
    if categories is None:
        return {}
    colors = {names[index]: color for index, color in categories.colormap.items() if index < len(names)}
    return {name: (int(color[0]), int(color[1]), int(color[2])) for name, color in colors.items()}


def _has_crowds(root: Path, dataset: Any) -> bool:
    """Whether some outlines are crowds and others are not.

    Raises:
        DataError: there are annotations, but no outlines.
    """
    every = [annotation for item in dataset for annotation in item.annotations]
    outlines = [annotation for annotation in every if annotation.type.name in _OUTLINES]
    if every and not outlines:
        kinds = sorted({annotation.type.name for annotation in every})
        raise DataError(
            f"{root}: has annotations ({', '.join(kinds)}), but no masks or polygons; export the data with them"
        )
    return any(not annotation.attributes.get("is_crowd") for annotation in outlines)


def _open(
    root: Path, dataset: Any, name: str, labels: Labels, outlines: _Outlines, describe: Callable[[str, str], str]
) -> Subset:
    samples, unmatched, pages, boxes = [], [], {}, 0
    strays: list[str] = []
    for item in dataset.subsets()[name]:
        path = getattr(item.media, "path", None)
        if path is None or not Path(path).is_file():
            reason = f"of the subset {name}, but not there"
            unmatched.append(
                LeftOut("missing_files", reason, str(root), os.path.relpath(path, root) if path else item.id)
            )
            continue
        relative = Path(os.path.relpath(path, root)).as_posix()
        if relative.startswith("../"):
            unmatched.append(
                LeftOut("missing_files", f"of the subset {name}, but outside of {root}", str(root), relative)
            )
            continue
        ignored, objects, left_out, short = outlines.of(item.annotations)
        boxes += left_out
        strays += [relative] * short
        samples.append(Sample(relative, describe(name, item.id), str(root), str(root)))
        pages[relative] = page(item.media.size if item.media.has_size else None, [*ignored, *objects])
    if not samples:
        raise DataError(f"{root}: no image of the subset {name} is there; {first_of(unmatched)}")
    if boxes:
        logger.warning("%s: %d boxes have no outline: the pixels in them are ignored", root, boxes)
    if strays:
        logger.warning("%s: %s", root, tell_of_strays(len(strays), strays[0]))
    reader = OutlinedObjects(labels.names, labels.background or 0, pages)
    return Subset(root, labels, tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched), reader)


class _Outlines(NamedTuple):
    """Turns Datumaro's annotations into outlines.

    Attributes:
        indices: see `labels_with_background`.
        crowds: whether those marked so are ignored.
    """

    indices: tuple[int, ...]
    crowds: bool

    def of(self, annotations: list[Any]) -> tuple[list[Outline], list[Outline], int, int]:
        """Regions to ignore, objects in the order of painting, how many of the regions are boxes, and how many are
        those of polygons without inside."""
        ignored: list[Outline] = []
        strays: list[Outline] = []
        objects: list[Outline] = []
        outlined = [annotation for annotation in annotations if annotation.type.name in _OUTLINES]
        for annotation in sorted(outlined, key=lambda annotation: annotation.z_order):
            if annotation.type.name == "polygon":
                whole, around = split_polygons([annotation.points])
                strays += [Outline(IGNORE_INDEX, [box]) for box in around]
                if not whole:
                    continue
            if annotation.label is None or (self.crowds and annotation.attributes.get("is_crowd")):
                ignored.append(Outline(IGNORE_INDEX, _shape(annotation)))
            else:
                objects.append(Outline(self.indices[annotation.label], _shape(annotation)))
        groups = {annotation.group for annotation in outlined} - {0, None}
        boxes = [
            Outline(IGNORE_INDEX, [_corners(annotation)])
            for annotation in annotations
            if annotation.type.name in _BOXES and annotation.group not in groups
        ]
        return ignored + boxes + strays, objects, len(boxes), len(strays)


def _shape(annotation: Any) -> Any:
    if annotation.type.name == "polygon":
        return [[float(part) for part in annotation.points]]
    if annotation.type.name == "ellipse":
        left, top, right, bottom = annotation.points
        return [ellipse((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2)]
    from pycocotools import mask as coco  # slow to import

    code = coco.encode(np.asfortranarray(annotation.image, np.uint8))
    return {"counts": code["counts"].decode(), "size": [int(side) for side in code["size"]]}


def _corners(box: Any) -> list[float]:
    if box.type.name == "rotated_bbox":
        return [float(part) for point in box.as_polygon() for part in np.atleast_1d(point)]
    left, top, width, height = (float(part) for part in box.get_bbox())
    return rectangle(left, top, left + width, top + height)
