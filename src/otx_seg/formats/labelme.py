"""LabelMe's XML files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from otx_seg.annotations.annotation_values import coordinate, noted_size
from otx_seg.annotations.dataset_meta import META_FILE, read_dataset_meta
from otx_seg.annotations.listed_paths import located
from otx_seg.annotations.plain_xml import read_xml
from otx_seg.annotations.polygons import reason_of, rectangle
from otx_seg.annotations.stored_masks import mask_size, stored_mask
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.annotated_images import AnnotatedImage, Annotations, Region, open_annotated
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, folders_on_the_way_down, holds_folders
from otx_seg.runtime.image_files import file_names
from otx_seg.runtime.image_headers import open_header, read_bytes
from otx_seg.runtime.plain_files import shown, whole_number

_OBJECTS, _IMAGES, _MASKS = "Annotations", "Images", "Masks"
_MOST = 1_000_000_000  # of numbers of objects


class LabelMe(DataFormat):
    """What the LabelMe web tool of MIT exports, as XML (not the JSON of the desktop program labelme)::

        Annotations/train/a.xml
        Images/train/a.jpg
        Masks/train/a_mask_0.png      where objects are masks

    Objects are painted in the order of the file. Boxes that belong to no outline are ignored.
    """

    title = "LabelMe"
    layout = "Annotations/ with XML files, and Images/"
    notes = "objects; the XML of the web tool, not the JSON of the desktop program"

    def detects(self, root: Path) -> bool:
        return holds_folders(root, _OBJECTS, _IMAGES) and any(
            files_with(folder, ".xml") for folder in folders_on_the_way_down(root / _OBJECTS)
        )

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = sorted(name for name in file_names(str(root)) if name.lower().endswith(".xml"))
        if not files:
            raise DataError(f"{root}: no XML files; expected are {self.layout}")
        names = list(read_dataset_meta(root / META_FILE)[0].names) if (root / META_FILE).is_file() else []
        found = Annotations(root, names)
        for file in files:
            _add(found, file)
        found.tell()
        return {name: partial(open_annotated, found, name) for name in {**found.images, **found.left_out}}


def _add(found: Annotations, file: str) -> None:
    """The image that a file describes."""
    path = found.root / file
    content = read_xml(path, "annotation")
    try:
        folder, filename = content.findtext("folder") or "", _text(content, "filename")
        subset = subset_name(folder) or DEFAULT_SUBSET
        name = located(found.root / _IMAGES, f"{folder}/{filename}")
        if name is None:
            found.missing(subset, file, os.path.join(_IMAGES, folder, filename))  # noqa: PTH118  (may be absolute)
            return
        image = f"{_IMAGES}/{name}"
        size = noted_size(content.findtext("imagesize/nrows"), content.findtext("imagesize/ncols"))
        regions = list(_regions(found, content, image))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{path}: unusable: {reason_of(error)}") from error
    found.names = list(dict.fromkeys([*(found.names or ()), *(part.label for part in regions if part.label)]))
    described = AnnotatedImage(image, file, size, regions)
    found.images.setdefault(subset, []).append(described)


def _regions(found: Annotations, content: Element, image: str) -> Iterator[Region]:
    """What the objects of a file cover, in its order."""
    objects: dict[int, Element] = {}
    twice: list[int] = []
    for thing in content.iter("object"):
        if (thing.findtext("deleted") or "").strip() in ("", "0"):
            identity = whole_number(_text(thing, "id"), 0, _MOST, "id")
            twice += [identity] if identity in objects else []
            objects[identity] = thing
    if twice:
        raise ValueError(f"objects have the same id: {twice[0]}; give each its own")
    outlined = {identity for identity, thing in objects.items() if not _is_box(thing)}
    for thing in objects.values():
        label = (thing.findtext("name") or "").strip() or None
        if thing.find("polygon") is not None:
            points = [coordinate(_text(point, axis), axis) for point in thing.iterfind("polygon/pt") for axis in "xy"]
            if not _is_box(thing):
                yield from found.polygon(label, points, image)
            elif points and not outlined.intersection(_relatives(thing)):
                found.remark("{} boxes have no polygon: the pixels in them are ignored", image)
                yield Region(
                    None, [rectangle(min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2]))]
                )
        elif thing.find("segm") is not None:
            yield Region(label, _mask(found.root, content.findtext("folder") or "", _text(thing, "segm/mask"), image))


def _is_box(thing: Element) -> bool:
    return thing.findtext("type") == "bounding_box"


def _relatives(thing: Element) -> set[int]:
    """The numbers of the objects that an object is a part of, or that are parts of it."""
    texts = (thing.findtext(f"parts/{relation}") or "" for relation in ("hasparts", "ispartof"))
    return {whole_number(part, 0, _MOST, "parts") for text in texts for part in text.split(",") if part.strip()}


def _mask(root: Path, folder: str, name: str, image: str) -> Any:
    """The run-length code of a mask file: whatever is not black is the object."""
    from pycocotools import mask as coco  # slow to import

    found = located(root / _MASKS, f"{folder}/{name}")
    if found is None:
        raise ValueError(f"the mask {shown(name)} is not in {root / _MASKS}")
    path = root / _MASKS / found
    header = open_header(read_bytes(root / image), image)
    if set(mask_size(path)) != {header.height, header.width}:  # a rotation by EXIF turns one of them
        raise ValueError(f"the mask {found} has another size than its image")
    pixels, palette = stored_mask(path)
    if palette is not None:
        covered = palette.any(axis=1)[pixels]  # type: ignore[index]
    else:
        covered = pixels.any(axis=2) if pixels.ndim == 3 else pixels != 0
    code = coco.encode(np.asfortranarray(covered, np.uint8))
    return {"counts": code["counts"].decode(), "size": [int(side) for side in code["size"]]}


def _text(element: Element, tag: str) -> str:
    found = (element.findtext(tag) or "").strip()
    if not found:
        raise ValueError(f"<{tag}> is missing or empty")
    return found
