"""The VGG Image Annotator (VIA)."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from otx_seg.annotations.annotation_values import as_list, as_mapping, coordinate, label_of
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
from otx_seg.runtime.plain_files import parse_json, read_json, read_text, shown

_OF_LABELS = ("label", "class", "type", "name", "category")  # attributes that may be labels, the likeliest first
_NO_AREA = ("point", "polyline")
_TELLING = re.compile(r'"(shape_attributes|_via_img_metadata|_via_settings)"')
_VERSION_3 = re.compile(r'"project"\s*:.*"(vid|fid|fname|pid)"\s*:', re.DOTALL)
_COLUMNS = ("region_shape_attributes", "region_attributes")
_FILES, _MOST_NAMED = 20, 10
_ONLY = "object"  # the label of data in which no region has an attribute


class _Marked(NamedTuple):
    """A region as it stands in a file."""

    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


class Via(DataFormat):
    """What VIA 1 and 2 save and export::

        via_project.json       or via_region_data.json, via_region_data.csv, or any name
        a.jpg                  beside the file, or in images/

    The same in folders train, val and test, which are subsets. Regions are painted in the order of the file.
    """

    title = "VGG Image Annotator (VIA)"
    layout = "a JSON or CSV file with region_attributes, and images beside it or in images/"
    notes = (
        "objects: polygons, rectangles, circles, ellipses; in a project, or exported as JSON or CSV (VIA 1 and 2). The "
        "label is the region attribute called `label`, `class`, `type`, `name` or `category`, or the only one; labels "
        "are those of `labels.txt`, else those that occur, in alphabetical order"
    )

    def detects(self, root: Path) -> bool:
        return bool(_files(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = _files(root)
        if not files:
            raise DataError(f"{root}: no file of VIA; expected is {self.layout}")
        return annotated_subsets(dict.fromkeys(map(subset_of, files)), partial(_read, root, files))


def _files(root: Path) -> list[str]:
    """Paths below the root, of all that are there: one that describes an image once more is refused."""
    folders = (root, *(folder for folder in listed_folders(root) if subset_name(folder.name) in SUBSETS))
    every = (path for folder in folders for suffix in (".json", ".csv") for path in files_with(folder, suffix, _FILES))
    return [path.relative_to(root).as_posix() for path in every if _is_via(path)]


def _is_via(path: Path) -> bool:
    beginning = head(path)
    if path.suffix.lower() == ".csv":
        return all(name in beginning.partition("\n")[0] for name in _COLUMNS)
    return bool(_TELLING.search(beginning)) or bool(_VERSION_3.search(beginning))


def _read(root: Path, files: Iterable[str]) -> Annotations:
    found = Annotations(root, *listed_names(root))
    try:
        marked = [(file, *image) for file in files for image in _images(root / file)]
    except ValueError as error:
        raise DataError(str(error)) from error
    attribute = _attribute(root, [each.attributes for _, _, regions in marked for each in regions])
    for file, name, regions in marked:
        image = find_image(root, file.rpartition("/")[0], name)
        if image is None:
            found.missing(subset_of(file), file, name)
            continue
        try:
            shapes = [shape for each in regions for shape in _regions(found, each, attribute, image)]
        except ValueError as error:
            raise DataError(f"{root / file}: a region of {name}: {error}; correct it in VIA") from error
        found.images.setdefault(subset_of(file), []).append(AnnotatedImage(image, file, None, shapes))
    found.tell()
    return found


def _images(path: Path) -> list[tuple[str, list[_Marked]]]:
    """The name of each image in a file, and its regions.

    Raises:
        DataError: the file cannot be read.
        ValueError: naming the file: it is not as VIA writes it.
    """
    try:
        return list(_in_csv(path) if path.suffix.lower() == ".csv" else _in_json(path))
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}: {error}; expected is a project or an export of VIA 1 or 2") from error


def _in_json(path: Path) -> Iterator[tuple[str, list[_Marked]]]:
    content = as_mapping(read_json(path, not_finite=True), "it")
    if "_via_img_metadata" not in content and {"project", "metadata"} <= content.keys():
        raise ValueError("is a project of VIA 3; export it as COCO")
    for key, entry in as_mapping(content.get("_via_img_metadata", content), "_via_img_metadata").items():
        image = as_mapping(entry, f"the entry {shown(key)}")
        regions = image.get("regions", [])
        # VIA 1 numbers them in a mapping.
        every = list(regions.values()) if isinstance(regions, dict) else as_list(regions, "regions")
        name = image.get("filename")
        if not isinstance(name, str) or not name:
            raise ValueError(f"the filename of {shown(key)} is {shown(name)}")
        yield name, [_marked(as_mapping(each, f"a region of {name}")) for each in every]


def _in_csv(path: Path) -> Iterator[tuple[str, list[_Marked]]]:
    rows = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    found: dict[str, list[_Marked]] = {}
    for row in rows:
        name = row.get("filename") or row.get("#filename")
        if not name:
            raise ValueError(f"line {rows.line_num} has no filename")
        where = f"{path}: line {rows.line_num}"
        shape, attributes = (parse_json(row.get(key) or "{}", where, not_finite=True) for key in _COLUMNS)
        region = {"shape_attributes": shape, "region_attributes": attributes}
        found.setdefault(name, []).extend([_marked(region)] if shape else [])
    yield from found.items()


def _marked(region: Mapping[str, Any]) -> _Marked:
    shape, attributes = (region.get(key) for key in ("shape_attributes", "region_attributes"))
    return _Marked(as_mapping(shape, "shape_attributes"), as_mapping(attributes or {}, "region_attributes"))


def _attribute(root: Path, every: Iterable[Mapping[str, Any]]) -> str | None:
    """The attribute that is the label; None if no region has any.

    Raises:
        DataError: there are several, none of which is called like one.
    """
    used = dict.fromkeys(key for attributes in every for key in attributes)
    for wanted in _OF_LABELS:
        called_so = [key for key in used if key.strip().lower() == wanted]
        if called_so:
            return called_so[0]
    if len(used) > 1:
        raise DataError(
            f"{root}: which region attribute is the label? There are {', '.join([*used][:_MOST_NAMED])}; rename it to "
            f"{_OF_LABELS[0]} in VIA"
        )
    return next(iter(used), None)


def _regions(found: Annotations, each: _Marked, attribute: str | None, image: str) -> list[Region]:
    """What a region covers. Raises ValueError if it is unusable."""
    kind = each.shape.get("name")
    if kind in _NO_AREA:
        return found.no_area(image)
    points = _points(kind, each.shape)
    return found.polygon(_label(found, each, attribute, image), points, image)


def _points(kind: Any, shape: Mapping[str, Any]) -> list[float]:
    def numbers(*keys: str) -> list[float]:
        return [coordinate(shape.get(key), key) for key in keys]

    if kind == "polygon":
        xs, ys = (as_list(shape.get(key), key) for key in ("all_points_x", "all_points_y"))
        if len(xs) != len(ys):
            raise ValueError(f"has {len(xs)} all_points_x and {len(ys)} all_points_y")
        return [coordinate(part) for point in zip(xs, ys, strict=True) for part in point]
    if kind == "rect":
        left, top, width, height = numbers("x", "y", "width", "height")
        return rectangle(left, top, left + width, top + height)
    if kind == "circle":
        x, y, radius = numbers("cx", "cy", "r")
        return ellipse(x, y, abs(radius), abs(radius))
    if kind == "ellipse":
        turn = math.degrees(coordinate(shape.get("theta", 0), "theta"))
        x, y, across, down = numbers("cx", "cy", "rx", "ry")
        return ellipse(x, y, abs(across), abs(down), turn)
    raise ValueError(f"its shape is {shown(kind)}; polygon, rect, circle and ellipse are read")


def _label(found: Annotations, each: _Marked, attribute: str | None, image: str) -> str | None:
    if attribute is None:
        found.remark(f"{{}} regions have no attribute that could be a label: all are called {_ONLY}", image)
        return _ONLY
    value = each.attributes.get(attribute)
    if isinstance(value, dict):  # of boxes to tick
        ticked = [name for name, is_on in value.items() if is_on]
        if len(ticked) > 1:
            raise ValueError(f"{attribute} has {len(ticked)} values, {', '.join(ticked[:_MOST_NAMED])}; tick one")
        value = ticked[0] if ticked else None
    if value in (None, "", "undefined"):
        found.remark(f"{{}} regions have no {attribute}: their pixels are ignored", image)
        return None
    return label_of(value, attribute)
