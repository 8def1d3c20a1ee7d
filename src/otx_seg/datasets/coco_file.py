"""Reading a COCO file: its labels, and the outlines of objects in each image in the order of painting."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.datasets.outlines import (
    Outline,
    labels_with_background,
    page,
    rectangle,
    split_polygons,
    tell_of_strays,
)
from otx_seg.errors import DataError
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.images import read_bytes

_EXPECTED = "a COCO file has lists images, categories and annotations"


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

    A file in which every outline is a crowd was written by a tool that marks run-length codes so (Datumaro, CVAT):
    there, they are objects.

    Raises:
        DataError: no such file, no COCO, or no outline in it.
    """
    content = _content(path)
    try:
        categories = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
        images = {entry["id"]: entry for entry in content["images"]}
        names = [str(entry["file_name"]) for entry in images.values()]
        by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: unusable ({type(error).__name__}: {error}); {_EXPECTED}") from error
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise DataError(f"{path}: two images have the file name {sorted(twice)[0]}; remove one")
    labels, shift = labels_with_background(list(categories.values()), path)
    index_of = {category: place + shift for place, category in enumerate(categories)}
    every = content["annotations"]
    _refuse_boxes_alone(every, path)
    crowds = any(_has_outline(annotation) and not annotation.get("iscrowd") for annotation in every)
    pages = {}
    strays: list[str] = []
    for identity, image in images.items():
        try:
            objects, of_image = _in_order(by_image[identity], index_of, crowds)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path}: an annotation of {image['file_name']} is unusable ({type(error).__name__}: {error})"
            ) from error
        strays += [str(image["file_name"])] * of_image
        pages[str(image["file_name"])] = page(_size(image), objects)
    remarks = [*_remarks(every, crowds), *([tell_of_strays(len(strays), strays[0])] if strays else [])]
    return CocoFile(labels, pages, tuple(remarks))


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); {_EXPECTED}") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(key), list) for key in ("images", "categories", "annotations")
    ):
        raise DataError(f"{path}: no COCO file; {_EXPECTED}")
    return content


def _size(image: dict[str, Any]) -> list[int] | None:
    height, width = image.get("height"), image.get("width")
    return [int(height), int(width)] if height and width else None


def _has_outline(annotation: dict[str, Any]) -> bool:
    return annotation.get("segmentation") not in (None, [], {}, [[]])


def _refuse_boxes_alone(annotations: list[dict[str, Any]], path: Path) -> None:
    if annotations and not any(map(_has_outline, annotations)):
        raise DataError(
            f"{path}: none of its {len(annotations)} annotations has a segmentation: there are boxes but no masks; "
            "export the data with polygons or masks"
        )


def _in_order(annotations: list[dict[str, Any]], index_of: dict[Any, int], crowds: bool) -> tuple[list[Outline], int]:
    """The outlines of an image, those painted first at the front; and how many polygons have no inside."""
    ignored: list[Outline] = []
    objects: list[tuple[float, Outline]] = []
    strays = 0
    for annotation in annotations:
        category = annotation["category_id"]
        if category not in index_of:
            raise ValueError(f"category_id {category} is not among the categories")
        shape = annotation.get("segmentation")
        boxes: list[list[float]] = []
        if isinstance(shape, list):
            shape, boxes = split_polygons(shape)
            strays += len(boxes)
        if not shape and annotation.get("bbox") and (not boxes or all(annotation["bbox"][2:])):
            boxes = [_corners(annotation["bbox"])]
        ignored += [Outline(IGNORE_INDEX, [box]) for box in boxes]
        if shape and crowds and annotation.get("iscrowd"):
            ignored.append(Outline(IGNORE_INDEX, shape))
        elif shape:
            objects.append((_area(annotation, shape), Outline(index_of[category], shape)))
    return [*ignored, *(outline for _, outline in sorted(objects, key=lambda item: -item[0]))], strays


def _corners(box: list[float]) -> list[float]:
    left, top, width, height = map(float, box)
    return rectangle(left, top, left + width, top + height)


def _area(annotation: dict[str, Any], shape: Any) -> float:
    """Square pixels, as noted or else worked out."""
    if annotation.get("area") is not None:
        return float(annotation["area"])
    if isinstance(shape, dict):
        from pycocotools import mask as coco  # slow to import

        if isinstance(shape["counts"], list):
            return float(sum(shape["counts"][1::2]))
        return float(coco.area(shape))
    return sum(map(_area_of_polygon, shape))


def _area_of_polygon(points: list[float]) -> float:
    """By the shoelace formula."""
    xs, ys = points[::2], points[1::2]
    turned = zip(xs, ys, [*xs[1:], *xs[:1]], [*ys[1:], *ys[:1]], strict=False)
    return abs(sum(x * next_y - next_x * y for x, y, next_x, next_y in turned)) / 2


def _remarks(annotations: list[dict[str, Any]], crowds: bool) -> Iterator[str]:
    boxes = sum(not _has_outline(annotation) for annotation in annotations)
    if boxes:
        yield f"{boxes} of {len(annotations)} annotations have no outline: the pixels in their boxes are ignored"
    if annotations and not crowds:
        yield "every outline is marked iscrowd, as some tools mark run-length codes: they are taken for single objects"
