"""CVAT for images."""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element

from otx_seg.annotations.annotation_values import coordinate, noted_size
from otx_seg.annotations.plain_xml import read_xml
from otx_seg.annotations.polygons import ellipse, reason_of
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.annotated_images import (
    AnnotatedImage,
    Annotations,
    Region,
    find_image,
    open_annotated,
)
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, head
from otx_seg.runtime.image_headers import MAX_PIXELS
from otx_seg.runtime.plain_files import number, shown, whole_number
from otx_seg.words import listed

logger = logging.getLogger(__name__)

_ROOT_TAG = re.compile(r"<annotations[\s>]")
_OUTLINES = ("polygon", "mask", "ellipse")
_WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid")
_SHAPES = (*_OUTLINES, "box", *_WITHOUT_AREA)
_DRAWN = ("any", "polygon", "mask", "ellipse")  # types of labels whose objects can have outlines
_FRAME_SUFFIXES = (".png", ".PNG", ".jpg", ".jpeg")
_MOST = 1_000_000_000  # of numbers that put things in order


class Cvat(DataFormat):
    """What CVAT exports as "CVAT for images"::

        train.xml  (or annotations.xml)
        images/a.jpg

    Objects are polygons, brush masks and ellipses, painted by their z-order and then by the order in the file. Boxes
    that belong to no outline are ignored.
    """

    title = "CVAT"
    layout = "annotations.xml with <annotations>, and images/"
    notes = (
        'objects: polygons, brush masks, ellipses; exports of projects, tasks and jobs, as "CVAT for images". Labels '
        "of tags, and of other things that have no outline, are none"
    )

    def detects(self, root: Path) -> bool:
        return bool(_files(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = _files(root)
        if not files:
            raise DataError(f"{root}: no XML file of CVAT; expected is {self.layout}")
        found = Annotations(root, [])
        for path in files:
            _add_file(found, path)
        found.tell()
        return {name: partial(open_annotated, found, name) for name in {**found.images, **found.left_out}}


def _files(root: Path) -> list[Path]:
    return [path for path in files_with(root, ".xml") if _ROOT_TAG.search(head(path))]


class _Described(NamedTuple):
    """An image or a frame as a file has it."""

    name: str
    subset: str
    size: tuple[int, int] | None
    shapes: list[Element]


def _add_file(found: Annotations, path: Path) -> None:
    """The labels and images of a file."""
    content = read_xml(path, "annotations")
    described = [*_images(content, path), *_frames(content, path)]
    if not described:
        raise DataError(f"{path}: no <image> in it; export the data as 'CVAT for images'")
    shapes = [shape for image in described for shape in image.shapes]
    if shapes and not any(shape.tag in _OUTLINES for shape in shapes):
        kinds = listed(sorted({shape.tag for shape in shapes}))
        raise DataError(f"{path}: has annotations ({kinds}), but no masks or polygons; export the data with them")
    used = {shape.get("label", "") for shape in shapes if shape.tag in _OUTLINES}
    found.names = list(dict.fromkeys([*(found.names or ()), *_labels(content, used)]))
    found.names_from = path
    for image in described:
        _add_image(found, image, path)
    ids = Counter(image.get("id") for image in content.iterfind("image"))
    twice = [shown(identity) for identity, times in ids.items() if times > 1]
    if twice:
        logger.warning("%s: images have the same id: %s; they are told apart by their names", path, listed(twice))


def _images(content: Element, path: Path) -> Iterator[_Described]:
    for image in content.iterfind("image"):
        name = image.get("name")
        if not name:
            raise DataError(f"{path}: the image {shown(image.get('id'))} has no name")
        try:
            size = noted_size(image.get("height"), image.get("width"))
        except ValueError as error:
            raise DataError(f"{path}: the size of {name} is unusable: {error}") from error
        shapes = [shape for shape in image if shape.tag in _SHAPES]
        yield _Described(name, image.get("subset") or path.stem, size, shapes)


def _frames(content: Element, path: Path) -> Iterator[_Described]:
    """The frames of a video: its objects are tracks, whose shapes say in which frame they are."""
    found: dict[tuple[str, int], list[Element]] = {}
    for track in content.iterfind("track"):
        for shape in track:
            if shape.tag not in _SHAPES or shape.get("outside") == "1":
                continue
            try:
                frame = whole_number(shape.get("frame"), 0, _MOST, "the frame")
            except ValueError as error:
                raise DataError(f"{path}: track {shown(track.get('id'))} is unusable: {error}") from error
            for key in ("label", "group_id"):
                if key in track.attrib:
                    shape.attrib.setdefault(key, track.attrib[key])
            found.setdefault((track.get("subset") or path.stem, frame), []).append(shape)
    for (subset, frame), shapes in sorted(found.items()):
        yield _Described(f"frame_{frame:06}", subset, None, shapes)


def _labels(content: Element, used: set[str]) -> list[str]:
    """The labels that a file lists, without those that have no outlines by their type and in fact."""
    names, kinds = [], {}
    for label in content.iterfind("meta//label"):
        name = label.findtext("name") or ""
        kinds[name] = label.findtext("type") or "any"
        if name in used or kinds[name] in _DRAWN:
            names.append(name)
    return names


def _add_image(found: Annotations, image: _Described, path: Path) -> None:
    subset = subset_name(image.subset) or DEFAULT_SUBSET
    name = _file_of(found.root, image)
    if name is None:
        found.missing(subset, path.name, image.name)
        return
    try:
        regions = list(_regions(found, image.shapes, name))
    except (ValueError, KeyError, OverflowError) as error:
        raise DataError(f"{path}: an object of {image.name} is unusable: {reason_of(error)}") from error
    found.images.setdefault(subset, []).append(AnnotatedImage(name, path.name, image.size, regions))


def _file_of(root: Path, image: _Described) -> str | None:
    """The path of an image below the root, or None."""
    suffixes = _FRAME_SUFFIXES if image.size is None and image.name.startswith("frame_") else ("",)
    names = [f"{image.name}{suffix}" for suffix in ("", *suffixes)]
    places = ("images", f"images/{image.subset}")
    return next((file for place in places for name in names if (file := find_image(root, place, name))), None)


def _regions(found: Annotations, shapes: Iterable[Element], image: str) -> Iterator[Region]:
    """What the shapes of an image cover, in the order of painting."""
    level = {id(shape): whole_number(shape.get("z_order", "0"), -_MOST, _MOST, "z_order") for shape in shapes}
    outlined = {shape.get("group_id") for shape in shapes if shape.tag in _OUTLINES} - {None, "0"}
    for shape in sorted(shapes, key=lambda shape: level[id(shape)]):
        label = shape.get("label")
        if shape.tag == "polygon":
            yield from found.polygon(label, _points(shape.attrib["points"]), image)
        elif shape.tag == "ellipse":
            x, y, x_radius, y_radius = (coordinate(shape.attrib[key], key) for key in ("cx", "cy", "rx", "ry"))
            yield Region(label, [ellipse(x, y, x_radius, y_radius, _rotation(shape))])
        elif shape.tag == "mask":
            box = [whole_number(shape.attrib[key], 0, MAX_PIXELS, key) for key in ("left", "top", "width", "height")]
            yield Region(label, {"counts": _counts(shape.attrib["rle"]), "box": box})
        elif shape.tag in _WITHOUT_AREA:
            found.no_area(image)
        elif shape.get("group_id") not in outlined:
            found.remark("{} boxes have no polygon: the pixels in them are ignored", image)
            yield Region(None, [_box(shape)])


def _points(text: str) -> list[float]:
    """[x, y, x, y, ...] of ``x,y;x,y``."""
    pairs = [pair.split(",") for pair in text.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"points are {shown(text)}, not x,y;x,y;...")
    return [float(part) for pair in pairs for part in pair]


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"rle is {shown(text)}, not integers with commas between them") from None


def _rotation(shape: Element) -> float:
    return number(shape.get("rotation", "0"), -_MOST, _MOST, "rotation")


def _box(shape: Element) -> list[float]:
    """A box, perhaps turned clockwise around its middle, as a polygon."""
    left, top, right, bottom = (coordinate(shape.attrib[key], key) for key in ("xtl", "ytl", "xbr", "ybr"))
    x, y, angle = (left + right) / 2, (top + bottom) / 2, math.radians(_rotation(shape))
    points = []
    for corner_x, corner_y in ((left, top), (right, top), (right, bottom), (left, bottom)):
        across, down = corner_x - x, corner_y - y
        points.append(x + across * math.cos(angle) - down * math.sin(angle))
        points.append(y + across * math.sin(angle) + down * math.cos(angle))
    return points
