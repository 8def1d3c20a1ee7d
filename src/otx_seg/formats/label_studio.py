"""Label Studio."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

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
from otx_seg.runtime.image_files import is_image_name
from otx_seg.runtime.plain_files import number, read_json, shown

_FILES = 20  # looked into
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what is put before the name of a file that is uploaded
_FARTHEST = 1000.0  # percent of a side
_Sides = tuple[int, int]


class LabelStudio(DataFormat):
    """What Label Studio exports as JSON or JSON-MIN; the images are not in it, and are put beside::

        project-1.json         any name
        images/a.jpg           or beside the file; 1a2b3c4d-a.jpg is found as a.jpg too

    The same in folders train, val and test, which are subsets. Of the annotations of a task the ground truth counts,
    else the last one that was not cancelled. Its regions are painted in their order. Predictions count in a file
    without any annotation.
    """

    title = "Label Studio"
    layout = "a JSON file of tasks with annotations, and images beside it or in images/"
    notes = (
        "objects: brush strokes, polygons, rectangles, ellipses, in JSON or JSON-MIN. The ground truth of a task "
        "counts, else its last annotation; cancelled ones and tasks without annotation are left out. Of a file without "
        "any annotation the predictions are read, such as one of `otx predict --save-as`. Labels are those "
        "of `labels.txt`, else those that occur, in alphabetical order"
    )

    def detects(self, root: Path) -> bool:
        return bool(_files(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = _files(root)
        if not files:
            raise DataError(f"{root}: no export of Label Studio; expected is {self.layout}")
        return annotated_subsets(dict.fromkeys(map(subset_of, files)), partial(_read, root, files))


def _files(root: Path) -> list[str]:
    """Paths below the root."""
    folders = (root, *(folder for folder in listed_folders(root) if subset_name(folder.name) in SUBSETS))
    every = (path for folder in folders for path in files_with(folder, ".json", _FILES))
    return [path.relative_to(root).as_posix() for path in every if _is_export(path)]


def _is_export(path: Path) -> bool:
    beginning = head(path).lstrip("\ufeff \t\r\n")
    if not beginning.startswith("["):
        return False
    keys = set(re.findall(r'"(\w+)"\s*:', beginning))
    of_task = bool(keys & {"annotations", "completions", "predictions"}) and bool(
        keys & {"data", "result", "completed_by"}
    )
    return of_task or {"original_width", "original_height"} <= keys


def _read(root: Path, files: Iterable[str]) -> Annotations:
    found = Annotations(root, *listed_names(root))
    for file in files:
        try:
            tasks = as_list(read_json(root / file, not_finite=True), "the export")
        except ValueError as error:
            raise DataError(f"{root / file}: {error}") from error
        for place, task in enumerate(_with_predictions(found, file, tasks), 1):
            try:
                _add(found, file, as_mapping(task, "a task"))
            except ValueError as error:
                which = task.get("id", place) if isinstance(task, dict) else place
                raise DataError(
                    f"{root / file}: task {shown(which)}: {error}; correct it in Label Studio and export it again"
                ) from error
    found.tell()
    return found


def _with_predictions(found: Annotations, file: str, tasks: list[Any]) -> list[Any]:
    """The tasks; if none of them has an annotation, with their predictions for annotations."""
    described = [task for task in tasks if isinstance(task, dict)]
    if any(task.get(key) for task in described for key in ("annotations", "completions")):
        return tasks
    for _ in filter(lambda task: task.get("predictions"), described):
        found.remark("{} masks are predictions that nobody has corrected", file)
    return [
        {**task, "annotations": task["predictions"]} if isinstance(task, dict) and task.get("predictions") else task
        for task in tasks
    ]


def _add(found: Annotations, file: str, task: Mapping[str, Any]) -> None:
    """The image of a task, with what the annotation that counts says of it."""
    subset = subset_of(file)
    name = _image_name(as_mapping(task.get("data", task), "data"))
    image = _find(found.root, file, name)
    if image is None:
        found.missing(subset, file, name)
        return
    results = _results(task)
    if results is None:
        found.leave_out(subset, "unmatched_files", "image of a task without annotation", image)
        return
    sizes, regions = set(), []
    for place, result in enumerate(results, 1):
        try:
            described = _region(found, as_mapping(result, "it"), results, image)
        except ValueError as error:
            raise ValueError(f"result {place}: {error}") from error
        if described is not None:
            sizes.add(described[0])
            regions += described[1]
    if len(sizes) > 1:
        raise ValueError(f"its results are of images of different sizes: {sorted(sizes)}")
    size = sizes.pop() if sizes else None
    found.images.setdefault(subset, []).append(AnnotatedImage(image, file, size, regions))


def _image_name(data: Mapping[str, Any]) -> str:
    """The path of the image of a task, as it is written there. Raises ValueError if there is none, or several."""
    texts = {key: text for key, text in data.items() if isinstance(text, str)}
    if "image" in texts:
        return texts["image"]
    names = [text for text in texts.values() if is_image_name(_path(text))]
    if len(names) != 1:
        raise ValueError(f"its data name {len(names) or 'no'} images; one image a task is read")
    return names[0]


def _path(url: str) -> str:
    """The path in what Label Studio calls an image: its own storage, local files, or a URL."""
    try:
        parts = urlsplit(url)
        local = parse_qs(parts.query).get("d")
    except ValueError:
        return url
    return local[0] if local else unquote(parts.path or url)


def _find(root: Path, file: str, name: str) -> str | None:
    """The image below the root, under its own name or the one it had before it was uploaded."""
    beside = file.rpartition("/")[0]
    path = _path(name)
    folder, slash, last = path.rpartition("/")
    tried = dict.fromkeys((name, path, f"{folder}{slash}{_UPLOADED.sub('', last, count=1)}"))
    return next((image for each in tried if (image := find_image(root, beside, each)) is not None), None)


def _results(task: Mapping[str, Any]) -> list[Any] | None:
    """What was drawn in the annotation that counts, or None if there is none."""
    if "data" not in task:  # JSON-MIN: the results stand in the task, under the names of the controls
        lists = [value for value in task.values() if isinstance(value, list)]
        drawn = [each for value in lists for each in value if isinstance(each, dict) and "original_width" in each]
        return drawn or None
    given = as_list(task.get("annotations", task.get("completions", [])), "annotations")
    every = [as_mapping(each, "an annotation") for each in given]
    kept = [each for each in every if not (each.get("was_cancelled") or each.get("skipped"))]
    if not kept:
        return None
    truths = [each for each in kept if each.get("ground_truth")]
    return as_list((truths or kept)[-1].get("result"), "result")


def _region(
    found: Annotations, result: Mapping[str, Any], results: list[Any], image: str
) -> tuple[_Sides, list[Region]] | None:
    """The size of the image of a result in pixels, and what it covers; None for one that draws nothing.

    Raises:
        ValueError: it is unusable.
    """
    value = as_mapping(result.get("value", result), "value")
    shape = _shape(value)
    if shape is None:
        return None
    if number(result.get("image_rotation") or 0, -360, 360, "image_rotation") % 360:
        raise ValueError("the image is turned (image_rotation); turn the file instead")
    sides = size_of(result.get("original_height"), result.get("original_width"))
    if shape == "point":
        return sides, found.no_area(image)
    label = _label(result, value, results)
    if label is None:
        found.remark("{} regions have no label: their pixels are ignored", image)
    if shape == "brush":
        if value.get("format", "rle") != "rle":
            raise ValueError(f"format is {shown(value['format'])}; rle is read")
        return sides, [Region(label, {"brush": value.get("rle")})]
    return sides, found.polygon(label, _SHAPES[shape](value, sides), image)


def _shape(value: Mapping[str, Any]) -> str | None:
    if "rle" in value:
        return "brush"
    if "points" in value:
        return "polygon"
    if "radiusX" in value:
        return "ellipse"
    if "x" in value and "y" in value:
        return "rectangle" if "height" in value else "point"
    return "point" if "vertices" in value else None


def _label(result: Mapping[str, Any], value: Mapping[str, Any], results: list[Any]) -> str | None:
    """The label of a region, which may stand in another result of the same id."""
    names = _labels_in(value)
    for other in results if not names and result.get("id") is not None else ():
        if isinstance(other, dict) and other.get("id") == result["id"] and isinstance(other.get("value"), dict):
            names = names or _labels_in(other["value"])
    if len(names) > 1:
        raise ValueError(f"has {len(names)} labels, {', '.join(map(str, names[:10]))}; a pixel has one")
    return label_of(names[0]) if names else None


def _labels_in(value: Mapping[str, Any]) -> list[Any]:
    key = next((key for key in value if key == "labels" or key.endswith("labels")), None)
    return as_list(value[key], key) if key is not None else []


def _percent(value: Mapping[str, Any], *keys: str) -> list[float]:
    return [number(value.get(key), -_FARTHEST, _FARTHEST, key) for key in keys]


def _polygon(value: Mapping[str, Any], sides: _Sides) -> list[float]:
    height, width = sides
    points = np.array(points_of(value.get("points")), float).reshape(-1, 2)
    return [float(part) for part in (points * (width / 100, height / 100)).reshape(-1)]


def _rectangle(value: Mapping[str, Any], sides: _Sides) -> list[float]:
    """Turned around its top left corner."""
    height, width = sides
    x, y, across, down = _percent(value, "x", "y", "width", "height")
    turn = math.radians(number(value.get("rotation") or 0, -_FARTHEST, _FARTHEST, "rotation"))
    corners = np.array(rectangle(0, 0, across * width / 100, down * height / 100)).reshape(-1, 2)
    turned = corners @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    return [float(part) for part in (turned + np.array([x * width, y * height]) / 100).reshape(-1)]


def _ellipse(value: Mapping[str, Any], sides: _Sides) -> list[float]:
    height, width = sides
    x, y, across, down = _percent(value, "x", "y", "radiusX", "radiusY")
    turn = number(value.get("rotation") or 0, -_FARTHEST, _FARTHEST, "rotation")
    return ellipse(x * width / 100, y * height / 100, across * width / 100, down * height / 100, turn)


_SHAPES: Mapping[str, Callable[[Mapping[str, Any], _Sides], list[float]]] = {
    "polygon": _polygon,
    "rectangle": _rectangle,
    "ellipse": _ellipse,
}
