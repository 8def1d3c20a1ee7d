"""Datumaro's own format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from otx_seg.annotations.annotation_values import as_list, as_mapping, coordinate, noted_size
from otx_seg.annotations.masks import Color
from otx_seg.annotations.polygons import ellipse, reason_of, rectangle
from otx_seg.annotations.samples import Subset
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
from otx_seg.runtime.plain_files import read_json, shown, whole_number
from otx_seg.words import listed

_ANNOTATIONS, _IMAGES = "annotations", "images"
_OUTLINES, _NO_AREA = ("polygon", "mask", "ellipse"), ("polyline", "points")
_EXPECTED = "Datumaro's files have categories and items"
_MOST = 1_000_000_000  # of numbers that put things in order


class DatumaroJson(DataFormat):
    """Datumaro's JSON::

        annotations/train.json
        images/train/a.jpg

    Objects are polygons, masks and ellipses, painted by their z-order and then by the order in the file. Below them lie
    regions to ignore: boxes that belong to no outline, and crowds, unless everything of its label is a crowd.
    """

    title = "Datumaro"
    layout = "annotations/train.json with dm_format_version and items"
    notes = "objects: polygons, masks, ellipses"

    def detects(self, root: Path) -> bool:
        return bool(_files(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = _files(root)
        if not files:
            raise DataError(f"{root}: no JSON file of Datumaro; expected is {self.layout}")
        return {subset_name(path.stem) or DEFAULT_SUBSET: partial(_open, root, path) for path in files}


def _files(root: Path) -> list[Path]:
    beginnings = ((path, head(path)) for path in files_with(root / _ANNOTATIONS, ".json"))
    return [path for path, text in beginnings if '"dm_format_version"' in text or '"items"' in text]


def _open(root: Path, path: Path) -> Subset:
    content = read_json(path, _EXPECTED, not_finite=True)
    subset = subset_name(path.stem) or DEFAULT_SUBSET
    try:
        items = as_list(as_mapping(content, "its content")["items"], "items")
        names, colors = _labels(as_mapping(content["categories"], "categories"))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: unusable: {reason_of(error)}; {_EXPECTED}") from error
    found = Annotations(root, names, path, colors)
    _refuse_without_outlines(items, path)
    outlines = [thing for item in items for thing in _things(item) if _is_outline(thing)]
    single = {shown(thing.get("label_id")) for thing in outlines if not _is_crowd(thing)}
    for item in items:
        try:
            _add(found, subset, path, as_mapping(item, "an item"), single)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            identity = shown(item.get("id")) if isinstance(item, dict) else shown(item)
            raise DataError(f"{path}: the item {identity} is unusable: {reason_of(error)}") from error
    found.tell()
    return open_annotated(found, subset)


def _labels(categories: Mapping[str, Any]) -> tuple[list[str], dict[str, Color]]:
    """Names in their order, and the colours of those that have one."""
    names = [str(entry["name"]) for entry in as_list(categories["label"]["labels"], "labels")]
    colors = {}
    mask = as_mapping(categories.get("mask") or {}, "categories.mask")
    for entry in as_list(mask.get("colormap") or [], "categories.mask.colormap"):
        index = whole_number(entry["label_id"], 0, _MOST, "label_id")
        red, green, blue = (whole_number(entry[channel], 0, 255, channel) for channel in "rgb")
        if index < len(names):
            colors[names[index]] = (red, green, blue)
    return names, colors


def _things(item: Any) -> list[dict[str, Any]]:
    """The annotations of an item that are some."""
    listed_things = item.get("annotations") if isinstance(item, dict) else None
    return [thing for thing in listed_things if isinstance(thing, dict)] if isinstance(listed_things, list) else []


def _is_outline(thing: Mapping[str, Any]) -> bool:
    return thing.get("type") in _OUTLINES


def _is_crowd(thing: Mapping[str, Any]) -> bool:
    attributes = thing.get("attributes")
    return isinstance(attributes, dict) and bool(attributes.get("is_crowd"))


def _refuse_without_outlines(items: list[Any], path: Path) -> None:
    every = [thing for item in items for thing in _things(item)]
    if every and not any(map(_is_outline, every)):
        kinds = listed(sorted({shown(thing.get("type")).strip("'") for thing in every}))
        raise DataError(f"{path}: has annotations ({kinds}), but no masks or polygons; export the data with them")


def _add(found: Annotations, subset: str, path: Path, item: dict[str, Any], single: set[str]) -> None:
    """The image that an item describes."""
    media = item.get("image") or item.get("media") or {}
    name = str(as_mapping(media, "image").get("path") or f"{item['id']}.jpg")
    source = f"{_ANNOTATIONS}/{path.name}"
    image = find_image(found.root, f"{_IMAGES}/{path.stem}", name)
    if image is None:
        found.missing(subset, source, name)
        return
    size = media.get("size")
    noted = noted_size(*as_list(size, "size")) if size is not None else None
    regions = list(_regions(found, _things(item), image, single))
    described = AnnotatedImage(image, source, noted, regions)
    found.images.setdefault(subset, []).append(described)


def _regions(found: Annotations, things: list[dict[str, Any]], image: str, single: set[str]) -> Iterator[Region]:
    """What the annotations of an image cover, in the order of painting."""
    groups = {shown(thing.get("group")) for thing in things if _is_outline(thing)} - {"0", "None"}
    levels = [whole_number(thing.get("z_order") or 0, -_MOST, _MOST, "z_order") for thing in things]
    for _, thing in sorted(zip(levels, things, strict=True), key=lambda pair: pair[0]):
        if _is_outline(thing):
            ignored = _is_crowd(thing) and shown(thing.get("label_id")) in single
            if ignored:
                found.remark("{} crowds: their pixels are ignored", image)
            label = None if ignored else _label(found, thing)
            yield from _outlined(found, thing, label, image)
        elif thing.get("type") == "bbox" and shown(thing.get("group")) not in groups:
            found.remark("{} boxes have no polygon: the pixels in them are ignored", image)
            left, top, width, height = _numbers(thing["bbox"], "bbox", 4)
            yield Region(None, [rectangle(left, top, left + width, top + height)])
        elif thing.get("type") in _NO_AREA:
            found.no_area(image)


def _label(found: Annotations, thing: Mapping[str, Any]) -> str | None:
    if thing.get("label_id") is None:
        return None
    assert found.names is not None
    return found.names[whole_number(thing["label_id"], 0, len(found.names) - 1, "label_id")]


def _outlined(found: Annotations, thing: Mapping[str, Any], label: str | None, image: str) -> list[Region]:
    if thing["type"] == "mask":
        code = as_mapping(thing["rle"], "rle")
        return [Region(label, {"counts": code["counts"], "size": code["size"]})]
    if thing["type"] == "ellipse":
        left, top, right, bottom = _numbers(thing["points"], "points", 4)
        return [
            Region(label, [ellipse((left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2)])
        ]
    return found.polygon(label, _numbers(thing["points"], "points"), image)


def _numbers(value: Any, what: str, length: int | None = None) -> list[float]:
    numbers = [coordinate(part, f"a number of {what}") for part in as_list(value, what)]
    if length is not None and len(numbers) != length:
        raise ValueError(f"{what} has {len(numbers)} numbers, not {length}")
    return numbers
