"""The JSON files of the desktop program labelme."""

from __future__ import annotations

import math
import os
import re
from functools import partial
from pathlib import Path
from typing import Any

from otx_seg.annotations.annotation_values import as_list, as_mapping, label_of, points_of, size_of
from otx_seg.annotations.polygons import ellipse, rectangle
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.annotated_images import (
    AnnotatedImage,
    Annotations,
    Region,
    annotated_subsets,
    find_image,
    listed_names,
    subset_of,
)
from otx_seg.formats.layouts.folder import SUBSETS, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, head
from otx_seg.runtime.image_files import IMAGE_SUFFIXES, entries_of, file_names
from otx_seg.runtime.plain_files import read_json, shown

_SHAPES = re.compile(r'"shapes"\s*:\s*\[')
_FOLDERS, _FILES = 20, 3  # looked into
_NO_AREA = ("line", "linestrip", "point", "points")


class LabelmeJson(DataFormat):
    """What the desktop program labelme saves, in any folders; those called train, val and test are subsets::

        a.jpg
        a.json               shapes, and the path of the image from here
        labels.txt           a label per line, if there is an order to keep

    Shapes are painted in the order of the file. Without a list of labels they are those that occur, sorted.
    """

    title = "labelme (JSON)"
    layout = "a.json with shapes beside a.jpg"
    notes = (
        "objects: polygons, rectangles, circles, masks. Labels are those of `labels.txt`, else those that occur, in "
        "alphabetical order; `__ignore__` is ignored. `imageData` is not read: the image has to be there"
    )

    def detects(self, root: Path) -> bool:
        folders = [root, *listed_folders(root)[:_FOLDERS]]
        folders += [
            below
            for folder in folders[1:]
            if subset_name(folder.name) in SUBSETS
            for below in listed_folders(folder)[:_FOLDERS]
        ]
        return any(_SHAPES.search(head(path)) for folder in folders for path in files_with(folder, ".json", _FILES))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = sorted(name for name in file_names(str(root)) if name.lower().endswith(".json"))
        if not files:
            raise DataError(f"{root}: no JSON files; expected is {self.layout}, as labelme saves it")
        return annotated_subsets(dict.fromkeys(map(subset_of, files)), partial(_read, root, files))


def _read(root: Path, files: list[str]) -> Annotations:
    found = Annotations(root, *listed_names(root))
    others = 0
    for file in files:
        content = read_json(root / file, "labelme saves shapes and imagePath", not_finite=True)
        if not isinstance(content, dict) or "shapes" not in content:
            others += 1
            continue
        try:
            _add(found, file, content)
        except ValueError as error:
            raise DataError(f"{root / file}: {error}; correct it in labelme, or leave the file out") from error
    if others == len(files):
        raise DataError(f"{root}: none of its {others} JSON files has shapes, as those of labelme have")
    _note_images_without(found)
    found.tell()
    return found


def _add(found: Annotations, file: str, content: dict[str, Any]) -> None:
    """The image that a file describes."""
    subset = subset_of(file)
    name = content.get("imagePath")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"imagePath is {shown(name)}, not the path of an image")
    image = _image(found.root, file, name)
    if image is None:
        found.missing(subset, file, name)
        return
    regions: list[Region] = []
    for place, shape in enumerate(as_list(content["shapes"], "shapes"), 1):
        try:
            regions += _regions(found, as_mapping(shape, "a shape"), image)
        except ValueError as error:
            raise ValueError(f"shape {place}: {error}") from error
    sides = content.get("imageHeight"), content.get("imageWidth")
    size = None if None in sides else size_of(*sides)
    found.images.setdefault(subset, []).append(AnnotatedImage(image, file, size, regions))


def _image(root: Path, file: str, name: str) -> str | None:
    """The image below the root: where the file says, else beside the file or in ``images/``, else called like it."""
    beside = os.path.dirname(file)  # noqa: PTH120  (of a path below the root, with /)
    exact = os.path.normpath(f"{beside}/{name}".replace("\\", "/")).lstrip("/")
    if not exact.startswith("../") and "\0" not in exact and os.path.isfile(f"{root}/{exact}"):  # noqa: PTH113
        return exact
    return find_image(root, beside, name)


def _regions(found: Annotations, shape: dict[str, Any], image: str) -> list[Region]:
    """What a shape covers. Raises ValueError if it is unusable."""
    kind = shape.get("shape_type") or "polygon"
    if kind in _NO_AREA:
        return found.no_area(image)
    label, points = label_of(shape.get("label"), "its label"), points_of(shape.get("points"))
    if kind == "rectangle" and len(points) == 4:
        points = rectangle(*points)
    elif kind == "circle":
        x, y, edge_x, edge_y = _two_points(kind, points)
        radius = math.hypot(edge_x - x, edge_y - y)
        points = ellipse(x, y, radius, radius)
    elif kind == "mask":
        left, top, *_ = map(math.floor, _two_points(kind, points))
        return [Region(label, {"png": shape.get("mask"), "left": left, "top": top})]
    elif kind not in ("polygon", "rectangle", "rotation"):
        raise ValueError(f"shape_type is {shown(kind)}; polygon, rectangle, circle and mask are read")
    return found.polygon(label, points, image, "Pillow")


def _two_points(kind: str, points: list[float]) -> list[float]:
    if len(points) != 4:
        raise ValueError(f"a {kind} has two points, this has {len(points) // 2}")
    return points


def _note_images_without(found: Annotations) -> None:
    """Images in the folders of described ones that no file describes."""
    for subset, images in found.images.items():
        known = {image.name for image in images}
        for folder in sorted({os.path.dirname(name) for name in known}):  # noqa: PTH120
            for entry in sorted(entries_of(str(found.root / folder)), key=lambda entry: entry.name):
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name[0] != "." and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES and name not in known:
                    found.leave_out(subset, "unmatched_files", "image without JSON file", name)
