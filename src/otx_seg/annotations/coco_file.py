"""Reading a COCO file: its labels, and the outlines of objects in each image in the order of painting."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.annotations.annotation_values import label_of, noted_size
from otx_seg.annotations.polygons import (
    Outline,
    area_of,
    labels_with_background,
    page,
    reason_of,
    rectangle,
    split_polygons,
    tell_of_strays,
)
from otx_seg.annotations.run_lengths import pixels_inside
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.images import read_bytes
from otx_seg.runtime.plain_files import number, parse_json, shown
from otx_seg.words import count, listed

_EXPECTED = "a COCO file has lists images, categories and annotations"
_SIZE_ADVICE = "note the height and width of the image file, or none"
_NONE = (None, "", "none", "None")  # the supercategory of what is below nothing
_Images = dict[Any, tuple[str, tuple[int, int] | None]]  # name and size by id
_FARTHEST = 1e9  # a number of a box, in pixels


@dataclass(frozen=True)
class CocoFile:
    """What a file of annotations holds.

    Attributes:
        labels: its categories in their order; with background before them unless one is called so.
        pages: objects by the file name of an image, as `OutlinedObjects` keeps them.
        remarks: what a user should know, one sentence each.
    """

    labels: Labels
    pages: dict[str, bytes]
    remarks: tuple[str, ...]


def read_coco(path: Path) -> CocoFile:
    """The labels and outlines of a COCO file.

    1. Regions to ignore are painted first: crowds, and the boxes of objects without outline or with one of fewer than
       three points.
    2. Then objects, the larger ones first, so that a small one on a large one stays visible. COCO gives no other order.

    Where every outline of a category is a crowd, a tool marked run-length codes so (Datumaro, CVAT): they are objects.

    Raises:
        DataError: no such file, no COCO, or no outline in it; or images or categories occur twice, so that it
            cannot be told what an annotation is of.
    """
    content = _content(path)
    try:
        images, repeated = _images(content["images"], path)
        categories, remarks = _categories(content, path)
        remarks += repeated
        every = content["annotations"]
        by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in every:
            by_image[annotation["image_id"]].append(annotation)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{path}: unusable: {reason_of(error)}; {_EXPECTED}") from error
    labels, indices = labels_with_background(list(categories.values()), path)
    index_of = dict(zip(categories, indices, strict=True))
    _refuse_unmatched(images, index_of, by_image, path)
    _refuse_boxes_alone(every, path)
    single = {each["category_id"] for each in every if _has_outline(each) and not each.get("iscrowd")}
    pages = {}
    strays: list[str] = []
    for identity, (name, size) in images.items():
        try:
            objects, of_image = _in_order(by_image[identity], index_of, single)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{path}: an annotation of {name} is unusable: {reason_of(error)}") from error
        strays += [name] * of_image
        pages[name] = page(size, objects)
    remarks += [*_remarks(every, single), *_of_repeated(every), *_of_others(images, by_image)]
    ignored = [name for name, index in zip(categories.values(), indices, strict=True) if index == IGNORE_INDEX]
    remarks += [f"{listed(ignored)}: taken for no label; the pixels of such objects are ignored"] if ignored else []
    remarks += [tell_of_strays(len(strays), strays[0])] if strays else []
    return CocoFile(labels, pages, tuple(remarks))


def _content(path: Path) -> dict[str, Any]:
    content = parse_json(read_bytes(path), path, _EXPECTED, not_finite=True)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "categories", "annotations")
    ):
        raise DataError(f"{path}: no COCO file; {_EXPECTED}")
    for key in ("images", "categories", "annotations"):
        wrong = next((entry for entry in content[key] if not isinstance(entry, dict)), None)
        if wrong is not None or None in content[key]:
            raise DataError(f"{path}: an entry of {key} is {shown(wrong)}, no mapping; {_EXPECTED}")
    return content


def _images(entries: list[dict[str, Any]], path: Path) -> tuple[_Images, list[str]]:
    """File name and size of each image by its id, and what is to be said of those that occur twice.

    Raises:
        DataError: one id or file name for two images, or an impossible size.
    """
    found: _Images = {}
    twice, repeated = [], []
    for entry in entries:
        name, identity = str(entry["file_name"]), entry["id"]
        if identity in found and found[identity][0] == name:
            repeated.append(name)
        elif identity in found:
            twice.append(f"{shown(identity)} ({found[identity][0]}, {name})")
        try:
            found[identity] = name, noted_size(entry.get("height"), entry.get("width"))
        except ValueError as error:
            raise DataError(f"{path}: the size of {name} is unusable: {error}; {_SIZE_ADVICE}") from error
    if twice:
        raise DataError(
            f"{path}: images have the same id: {listed(twice)}; which of them an annotation is of cannot be told: give "
            "each its own id, in its annotations too"
        )
    names = Counter(name for name, _ in found.values())
    several = [name for name, times in names.items() if times > 1]
    if several:
        raise DataError(f"{path}: two images have the file name {listed(several)}; remove one")
    return found, [f"images occur twice, with the same id: {listed(repeated)}"] if repeated else []


def _categories(content: dict[str, Any], path: Path) -> tuple[dict[Any, str], list[str]]:
    """The name of each category by its id, and what is to be said of those left out.

    Raises:
        DataError: one id or name for two of them.
    """
    entries = content["categories"]
    used = {annotation["category_id"] for annotation in content["annotations"]}
    root = next((entry for entry in entries if _is_root(entry, entries, used)), None)
    kept = [entry for entry in entries if entry is not root]
    for entry in kept:
        label_of(entry["name"], f"the name of category {shown(entry['id'])}")
    found = {entry["id"]: str(entry["name"]) for entry in kept}
    named = {(entry["id"], str(entry["name"])) for entry in kept}
    twice = [identity for identity, times in Counter(identity for identity, _ in named).items() if times > 1]
    if twice:
        raise DataError(f"{path}: categories have the same id: {_ids(twice)}; give each its own id")
    several = [name for name, times in Counter(found.values()).items() if times > 1]
    if several:
        ids = _ids([identity for identity, name in found.items() if name == several[0]])
        raise DataError(f"{path}: the categories {ids} are all called {several[0]!r}; give each its own name")
    told = f"the category {root['name']!r}, which stands for all others, is no label" if root is not None else None
    return found, [told] if told else []


def _is_root(entry: dict[str, Any], entries: list[dict[str, Any]], used: set[Any]) -> bool:
    """Whether a category is the one that Roboflow puts above all others, called like the project."""
    above = [other.get("supercategory") for other in entries if other is not entry]
    return (
        entry.get("supercategory") in _NONE
        and entry["id"] not in used
        and bool(above)
        and not any(other in _NONE for other in above)
        and (entry["id"] == 0 or set(above) == {entry["name"]})
    )


def _refuse_unmatched(
    images: dict[Any, Any], index_of: dict[Any, int], by_image: dict[Any, list[dict[str, Any]]], path: Path
) -> None:
    """Raises DataError if annotations of unknown categories, or none of all annotations is of a known image."""
    unknown = Counter(
        annotation["category_id"]
        for identity in images
        for annotation in by_image.get(identity, ())
        if annotation["category_id"] not in index_of
    )
    if unknown:
        raise DataError(
            f"{path}: {count(unknown.total(), 'annotation')} with a category_id that is not among the categories: "
            f"{_ids(unknown)}; {_same_kind(unknown, index_of) or 'add the categories, or remove the annotations'}"
        )
    if by_image and not any(identity in by_image for identity in images):
        raise DataError(
            f"{path}: no annotation is of one of its images: image_id is {_ids(by_image)}, images have the ids "
            f"{_ids(images)}; {_same_kind(by_image, images) or 'give each annotation the id of its image'}"
        )


def _same_kind(identities: Collection[Any], known: Collection[Any]) -> str | None:
    """What to do where ids are numbers in one place and text in the other; None where they are not."""
    same = {*map(str, identities)} & {*map(str, known)}
    return "write these ids as numbers in both places, or as text in both" if same else None


def _ids(identities: Collection[Any]) -> str:
    return listed([shown(identity) for identity in identities])


def _of_repeated(annotations: list[dict[str, Any]]) -> Iterator[str]:
    times = Counter(shown(annotation["id"]) for annotation in annotations if "id" in annotation)
    if len(times) < len(annotations):
        twice = [identity for identity, found in times.items() if found > 1]
        if twice:
            yield f"annotations have the same id: {listed(twice)}; they are taken for different objects"


def _of_others(images: dict[Any, Any], by_image: dict[Any, list[dict[str, Any]]]) -> Iterator[str]:
    others = {identity: found for identity, found in by_image.items() if identity not in images}
    if others:
        told = count(sum(map(len, others.values())), "annotation")
        yield f"{told} with an image_id that no image has: {_ids(others)}; they are not used"


def _has_outline(annotation: dict[str, Any]) -> bool:
    return annotation.get("segmentation") not in (None, [], {}, [[]])


def _refuse_boxes_alone(annotations: list[dict[str, Any]], path: Path) -> None:
    if annotations and not any(map(_has_outline, annotations)):
        raise DataError(
            f"{path}: none of its {len(annotations)} annotations has a segmentation: there are boxes but no masks; "
            "export the data with polygons or masks"
        )


def _in_order(
    annotations: list[dict[str, Any]], index_of: dict[Any, int], single: set[Any]
) -> tuple[list[Outline], int]:
    """The outlines of an image, those painted first at the front; and how many polygons have no inside.

    `single` are the categories with objects that are no crowds.
    """
    ignored: list[Outline] = []
    objects: list[tuple[float, Outline]] = []
    strays = 0
    for annotation in annotations:
        shape = annotation.get("segmentation")
        boxes: list[list[float]] = []
        if isinstance(shape, list):
            shape, boxes = split_polygons(shape)
            strays += len(boxes)
        elif isinstance(shape, dict):
            shape = {key: value for key, value in shape.items() if key in ("counts", "size")}
        elif _has_outline(annotation):
            raise ValueError(f"its segmentation is {shown(shape)}, neither polygons nor a run-length code")
        if not shape and annotation.get("bbox") and (not boxes or all(annotation["bbox"][2:])):
            boxes = [_corners(annotation["bbox"])]
        ignored += [Outline(IGNORE_INDEX, [box]) for box in boxes]
        if shape and annotation.get("iscrowd") and annotation["category_id"] in single:
            ignored.append(Outline(IGNORE_INDEX, shape))
        elif shape:
            label = index_of[annotation["category_id"]]
            objects.append((_area(annotation, shape), Outline(label, shape)))
    return [*ignored, *(outline for _, outline in sorted(objects, key=lambda item: -item[0]))], strays


def _corners(box: list[float]) -> list[float]:
    left, top, width, height = (number(part, -_FARTHEST, _FARTHEST, "a number of bbox") for part in box)
    return rectangle(left, top, left + width, top + height)


def _area(annotation: dict[str, Any], shape: Any) -> float:
    """Square pixels, as noted or else worked out."""
    if annotation.get("area") is not None:
        return number(annotation["area"], -math.inf, math.inf, "area")
    if isinstance(shape, dict):
        return pixels_inside(shape["counts"])
    return sum(map(area_of, shape))


def _remarks(annotations: list[dict[str, Any]], single: set[Any]) -> Iterator[str]:
    boxes = sum(not _has_outline(annotation) for annotation in annotations)
    if boxes:
        yield f"{boxes} of {len(annotations)} annotations have no polygon: the pixels in their boxes are ignored"
    crowds = Counter(
        each["category_id"] in single for each in annotations if each.get("iscrowd") and _has_outline(each)
    )
    if crowds[False]:
        yield f"masks marked iscrowd like all of their category, taken for objects: {crowds[False]}"
    if crowds[True]:
        yield f"crowds, whose pixels are ignored: {crowds[True]}; if they are brush masks, export polygons instead"
