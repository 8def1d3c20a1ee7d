"""Supervisely."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from otx_seg.annotations.annotation_values import as_list, as_mapping, label_of, points_of, size_of
from otx_seg.annotations.listed_paths import is_there
from otx_seg.annotations.masks import Color
from otx_seg.annotations.polygons import rectangle
from otx_seg.annotations.samples import LeftOut
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.annotated_images import AnnotatedImage, Annotations, Region, annotated_subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, holds_folders
from otx_seg.runtime.plain_files import read_json, shown

_META, _IMAGES, _OBJECTS, _INSIDE = "meta.json", "img", "ann", "datasets"
_NO_AREA = ("line", "polyline", "point", "graph")
_COLOR = re.compile("#[0-9a-fA-F]{6}")


class Supervisely(DataFormat):
    """A project as Supervisely exports it::

        meta.json                   classes and their colours
        train/img/a.jpg             a folder for each data set; or img/ and ann/ in the root
        train/ann/a.jpg.json        objects
        train/datasets/more/img/    a data set in a data set, of the same subset

    Data sets called train, val and test are subsets; all are one if none is. Objects are painted in the order of the
    file.
    """

    title = "Supervisely"
    layout = "meta.json, and img/ and ann/ in a folder for each data set"
    notes = (
        "objects: polygons with holes, bitmaps, rectangles. Data sets called `train`, `val` and `test` are subsets; "
        "all are one if none is. Labels are the classes of `meta.json`, in its order"
    )

    def detects(self, root: Path) -> bool:
        return any(files_with(folder / _OBJECTS, ".json", 1) for folder in _data_sets(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        folders = _data_sets(root)
        if not folders:
            raise DataError(f"{root}: no Supervisely project, which has {self.layout}")
        names = {folder: subset_name(folder.relative_to(root).parts[0]) for folder in folders if folder != root}
        if not {*names.values()} & {*SUBSETS}:
            names = dict.fromkeys(folders, DEFAULT_SUBSET)
        ordered = sorted(
            set(names.values()), key=lambda name: (name not in SUBSETS, [*SUBSETS, name].index(name), name)
        )
        return annotated_subsets(ordered, partial(_read, root, names))


def _data_sets(root: Path) -> list[Path]:
    found = [folder for folder in (root, *listed_folders(root)) if holds_folders(folder, _IMAGES, _OBJECTS)]
    inside = [_data_sets(folder / _INSIDE) for folder in found if holds_folders(folder, _INSIDE)]
    return [*found, *chain.from_iterable(inside)]


def _read(root: Path, subset_names: Mapping[Path, str]) -> Annotations:
    meta = root / _META if (root / _META).is_file() else root.parent / _META
    content = read_json(meta, "Supervisely lists the classes there", not_finite=True)
    try:
        classes = [as_mapping(each, "a class") for each in as_list(as_mapping(content, "it").get("classes"), "classes")]
        names = [label_of(each.get("title"), "the title of a class") for each in classes]
    except ValueError as error:
        raise DataError(f"{meta}: {error}; Supervisely lists the classes there") from error
    colors = {name: color for name, each in zip(names, classes, strict=True) if (color := _color(each.get("color")))}
    found = Annotations(root, names, meta, colors)
    for folder, subset in subset_names.items():
        files = files_with(folder / _OBJECTS, ".json")
        for path in files:
            try:
                _add(found, subset, folder, path)
            except ValueError as error:
                raise DataError(f"{path}: {error}; export the project again, or leave the file out") from error
        _note_images_without(found, subset, folder, {path.name.lower() for path in files})
    found.tell()
    return found


def _color(text: Any) -> Color | None:
    if not isinstance(text, str) or not _COLOR.fullmatch(text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _add(found: Annotations, subset: str, folder: Path, path: Path) -> None:
    """The image that a file describes."""
    source = path.relative_to(found.root).as_posix()
    below = (folder / _IMAGES).relative_to(found.root).as_posix()
    image = f"{below}/{path.name[: -len('.json')]}"
    if not is_there(found.root, image):
        found.missing(subset, source, image)
        return
    content = as_mapping(read_json(path, "Supervisely writes size and objects", not_finite=True), "it")
    size = as_mapping(content.get("size"), "size")
    regions: list[Region] = []
    for place, each in enumerate(as_list(content.get("objects"), "objects"), 1):
        try:
            regions += _regions(found, as_mapping(each, "an object"), image)
        except ValueError as error:
            raise ValueError(f"object {place}: {error}") from error
    described = AnnotatedImage(image, source, size_of(size.get("height"), size.get("width")), regions)
    found.images.setdefault(subset, []).append(described)


def _regions(found: Annotations, each: dict[str, Any], image: str) -> list[Region]:
    """What an object covers. Raises ValueError if it is unusable."""
    label = label_of(each.get("classTitle"), "classTitle")
    kind = each.get("geometryType") or ("bitmap" if each.get("bitmap") else "polygon")
    if kind in _NO_AREA:
        return found.no_area(image)
    if kind == "bitmap":
        bitmap = as_mapping(each.get("bitmap"), "bitmap")
        left, top = points_of([bitmap.get("origin")], "the origin")
        shape = {"png": bitmap.get("data"), "deflated": True, "left": int(left), "top": int(top)}
        return [Region(label, shape)]
    if kind not in ("polygon", "rectangle"):
        raise ValueError(f"geometryType is {shown(kind)}; polygon, bitmap and rectangle are read")
    points = as_mapping(each.get("points"), "points")
    exterior = points_of(points.get("exterior"), "the points of the exterior")
    if kind == "rectangle":
        if len(exterior) != 4:
            raise ValueError(f"a rectangle has two points, this has {len(exterior) // 2}")
        exterior = rectangle(*exterior)
    holes = [points_of(hole, "the points of a hole") for hole in as_list(points.get("interior", []), "interior")]
    return found.polygon(label, exterior, image, "OpenCV", holes)


def _note_images_without(found: Annotations, subset: str, folder: Path, files: set[str]) -> None:
    for path in sorted((folder / _IMAGES).iterdir()):
        if path.name[0] != "." and f"{path.name}.json".lower() not in files:
            left_out = LeftOut("unmatched_files", "image without objects file", str(folder / _IMAGES), path.name)
            found.left_out.setdefault(subset, []).append(left_out)
