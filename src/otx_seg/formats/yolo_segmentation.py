"""YOLO's data sets of outlines, as Ultralytics trains on and Roboflow and CVAT export."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from otx_seg.annotations.label_lists import lines_of
from otx_seg.annotations.listed_paths import located, possible_paths
from otx_seg.annotations.polygons import labels_with_background
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.yolo_text import BOX, MOST_CLASSES, OUTLINE, YoloOutlines
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, first_of, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, head
from otx_seg.labels import Labels
from otx_seg.runtime.image_files import file_names, image_names
from otx_seg.runtime.plain_files import read_text, shown, whole_number
from otx_seg.template.yaml_files import read_yaml
from otx_seg.words import count

logger = logging.getLogger(__name__)

_IMAGES, _OUTLINES = "images", "labels"
_DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NAMES = re.compile(r"^names\s*:", re.MULTILINE)
_NAME_LISTS = ("classes.txt", "labels.txt", "obj.names")
_NO_OUTLINES = ("classes", "labels")  # lists of names
_LOOKED_AT = 20  # files, until one is not empty


class _Place(NamedTuple):
    """Where the images of a subset are: a folder or a list of images, as paths below the root."""

    path: str
    is_list: bool = False


class YoloSegmentation(DataFormat):
    """Images with a text file of outlines for each one, in any of these ways::

        data.yaml            data.yaml               data.yaml       names, and where the subsets are
        images/train/a.jpg   train/images/a.jpg      images/a.jpg    or classes.txt with a name per line
        labels/train/a.txt   train/labels/a.txt      labels/a.txt    class x y x y x y ..., in shares of the sides

    See `YoloOutlines` for what is painted.
    """

    title = "YOLO segmentation"
    layout = "labels/ with text files of outlines beside images/, and data.yaml"
    notes = (
        "objects. Labels are the `names` of `data.yaml`, else the lines of `classes.txt`; its paths may be those of "
        "another machine. Larger objects are painted first; an image without a text file, or with an empty one, is "
        "background. Boxes alone are refused, boxes among outlines are ignored"
    )

    def detects(self, root: Path) -> bool:
        described = _description(root) is not None
        return any(_holds_lines(folder, described) for folder in _folders_of_outlines(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        description = _description(root)
        content = read_yaml(description, "a description of data", DataError) if description else {}
        places = {**_by_layout(root), **_by_description(root, description, content)}
        if not places:
            raise DataError(f"{root}: no images with text files; expected are {self.layout}")
        return {
            name: partial(_open, root, name, places[name], description, content)
            for name in (*(known for known in SUBSETS if known in places), *(places.keys() - {*SUBSETS}))
        }


def _folders_of_outlines(root: Path) -> Iterator[Path]:
    """The folders that text files of outlines may be in."""
    for place in (root, *listed_folders(root)):
        if (place / _IMAGES).is_dir() and (place / _OUTLINES).is_dir():
            yield place / _OUTLINES
            if place == root:
                yield from listed_folders(place / _OUTLINES)


def _holds_lines(folder: Path, described: bool) -> bool:
    """Whether a text file in a folder begins with a line of numbers that is one of an outline or a box.

    Args:
        described: whether files that are empty will do.
    """
    files = files_with(folder, ".txt", _LOOKED_AT)
    for path in files:
        words = head(path).split("\n", 1)[0].split()
        if words:
            try:
                numbers = [float(word) for word in words]
            except ValueError:
                continue
            return numbers[0].is_integer() and len(numbers) >= BOX
    return described and any(path.stem not in _NO_OUTLINES for path in files)


def _description(root: Path) -> Path | None:
    """The file that describes the data, beside it or, for a folder of a subset, above it."""
    places = (root, root.parent) if subset_name(root.name) in SUBSETS else (root,)
    named = [place / name for place in places for name in _DESCRIPTIONS if (place / name).is_file()]
    others = [
        path for place in places for suffix in (".yaml", ".yml") for path in files_with(place, suffix, _LOOKED_AT)
    ]
    return next(iter([*named, *(path for path in others if _NAMES.search(head(path)))]), None)


def _by_layout(root: Path) -> dict[str, _Place]:
    """The images of each subset, from the names of folders."""
    found: dict[str, _Place] = {}
    for folder in _folders_of_outlines(root):
        inside = folder.parent.name == _OUTLINES
        images = folder.parent.with_name(_IMAGES) / folder.name if inside else folder.with_name(_IMAGES)
        name = subset_name(folder.name if inside else folder.parent.name) if images.parent != root else DEFAULT_SUBSET
        if images.is_dir() and (name in SUBSETS or name == DEFAULT_SUBSET):
            found[name] = _Place(images.relative_to(root).as_posix())
    if found.keys() & {*SUBSETS}:
        found.pop(DEFAULT_SUBSET, None)
    return found


def _by_description(root: Path, path: Path | None, content: Mapping[str, Any]) -> dict[str, _Place]:
    """The images of each subset that ``data.yaml`` says where to find; of paths of another machine, what fits here."""
    found: dict[str, _Place] = {}
    if path is None or path.parent != root:
        return found
    for key in SUBSETS:
        value = content.get(key) or (content.get("valid") if key == "val" else None)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not value:
            continue
        if not isinstance(value, str):
            raise DataError(f"{path}: {key} is {shown(value)}; it should be the path of one folder or list of images")
        base = content.get("path")
        tried = [value, *([f"{base}/{value}"] if isinstance(base, str) else [])]
        place = next((place for name in tried for place in _placed(root, name)), None)
        if place is not None:
            found[key] = place
    return found


def _placed(root: Path, name: str) -> Iterator[_Place]:
    for below in possible_paths(name):
        if os.path.isdir(root / below):  # noqa: PTH112  (Path.is_dir raises an error for names that are too long)
            yield _Place(below)
        elif below.endswith(".txt") and os.path.isfile(root / below):  # noqa: PTH113
            yield _Place(below, is_list=True)


def _open(root: Path, name: str, place: _Place, description: Path | None, content: Mapping[str, Any]) -> Subset:
    images, left_out = _images(root, place)
    if not images:
        why = f"; {first_of(left_out)}" if left_out else ""
        raise DataError(f"{root / place.path}: no images of the subset {name}{why}")
    text_of = {image: _text_of(image) for image in images}
    described = [image for image in images if (root / text_of[image]).is_file()]
    if not described:
        raise DataError(
            f"{root}: none of the {len(images)} images of the subset {name} has a text file; that of {images[0]} "
            f"would be {text_of[images[0]]}"
        )
    _refuse_boxes_alone(root, [text_of[image] for image in described], content)
    if len(described) < len(images):
        without = count(len(images) - len(described), "image")
        logger.info("%s: %s of the subset %s without a text file: all of it is background", root, without, name)
    labels, index_of, source = _labels(root, description, content)
    samples = tuple(Sample(image, text_of[image], str(root), str(root)) for image in images)
    left_out += _texts_without_image(root, place, set(text_of.values()))
    reader = YoloOutlines(labels.names, labels.background or 0, index_of, source.name)
    return Subset(root, labels, samples, tuple(left_out), reader)


def _images(root: Path, place: _Place) -> tuple[list[str], list[LeftOut]]:
    """The images of a subset, as paths below the root, and those that a list names in vain."""
    if not place.is_list:
        return sorted(f"{place.path}/{name}" for name in image_names(str(root / place.path))), []
    found = {line: located(root, line) for line in lines_of(root / place.path)}
    missing = [
        LeftOut("missing_files", f"named in {place.path}, but not there", str(root), line)
        for line, image in found.items()
        if image is None
    ]
    return sorted({image for image in found.values() if image is not None}), missing


def _text_of(image: str) -> str:
    """The text file of an image: labels/ for the last images/ of its path, if there is one."""
    parts = os.path.splitext(image)[0].split("/")  # noqa: PTH122  (of a path below the root, with /)
    for place in reversed(range(len(parts) - 1)):
        if parts[place] == _IMAGES:
            parts[place] = _OUTLINES
            break
    return "/".join(parts) + ".txt"


def _refuse_boxes_alone(root: Path, texts: list[str], content: Mapping[str, Any]) -> None:
    """Look through the text files for what they hold; what is wrong with one of them is told when its mask is read.

    Raises:
        DataError: there are boxes or keypoints, but no outlines.
    """
    if content.get("kpt_shape") is not None:
        raise DataError(f"{root}: holds keypoints (kpt_shape), no outlines; export it as YOLO segmentation")
    boxes = outlines = 0
    for text in texts:
        try:
            lengths = [len(line.split(None, OUTLINE)) for line in read_text(root / text).splitlines()]
        except DataError:
            continue
        boxes += sum(BOX <= length < OUTLINE for length in lengths)
        outlines += sum(length >= OUTLINE for length in lengths)
    if boxes and not outlines:
        raise DataError(
            f"{root}: its text files hold {count(boxes, 'box')} (class x y width height), as YOLO detection has them, "
            "and no outlines; export the data as YOLO segmentation, or as masks"
        )
    if boxes:
        logger.warning("%s: %d of %d objects are boxes: the pixels in them are ignored", root, boxes, boxes + outlines)


def _labels(root: Path, path: Path | None, content: Mapping[str, Any]) -> tuple[Labels, dict[int, int], Path]:
    """The labels, the index of each by the number of its class, and the file that names them."""
    names, source = _names(root, path, content)
    labels, indices = labels_with_background(list(names.values()), source)
    return labels, dict(zip(names, indices, strict=True)), source


def _names(root: Path, path: Path | None, content: Mapping[str, Any]) -> tuple[dict[int, str], Path]:
    """The name of each class by its number, and the file they stand in.

    Raises:
        DataError: nothing names them, or not in a way that is understood.
    """
    if path is not None and content.get("names") is not None:
        return _names_in(path, content), path
    places = (root, root.parent) if subset_name(root.name) in SUBSETS else (root,)
    for file in (place / folder / name for place in places for folder in ("", _OUTLINES) for name in _NAME_LISTS):
        if file.is_file():
            return dict(enumerate(lines_of(file))), file
    raise DataError(
        f"{root}: nothing names the classes of its text files; write them into {root / _DESCRIPTIONS[0]}, in the "
        "order of their numbers: 'names: [cat, dog]'"
    )


def _names_in(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    given = content["names"]
    if not isinstance(given, (list, dict)) or not given:
        raise DataError(f"{path}: names is {shown(given)}; it should be a list of names, or map numbers to names")
    found: dict[int, str] = {}
    for key, name in given.items() if isinstance(given, dict) else enumerate(given):
        try:
            number = whole_number(key, 0, MOST_CLASSES, "a number in names")
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        if isinstance(name, bool) or not isinstance(name, (str, int, float)):
            raise DataError(f"{path}: the name of class {number} is {shown(name)}; write it in quotes")
        found[number] = str(name)
    classes = content.get("nc")
    if classes is not None and classes != len(found):
        raise DataError(f"{path}: nc is {shown(classes)}, but names has {len(found)}; correct one of them")
    return dict(sorted(found.items()))


def _texts_without_image(root: Path, place: _Place, used: set[str]) -> list[LeftOut]:
    folder = _text_of(f"{place.path}/a.jpg").rpartition("/")[0]
    if place.is_list or not (root / folder).is_dir():
        return []
    names = (f"{folder}/{name}" for name in file_names(str(root / folder)) if name.lower().endswith(".txt"))
    lists = {f"{folder}/{name}" for name in _NAME_LISTS}
    return [
        LeftOut("unmatched_files", "text file without image", str(root), name)
        for name in sorted(set(names) - used - lists)
    ]
