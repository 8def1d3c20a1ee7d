"""COCO."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from otx_seg.annotations.coco_file import read_coco
from otx_seg.annotations.listed_paths import is_there, located, possible_paths
from otx_seg.annotations.polygons import OutlinedObjects
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, first_of, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, head, holds_folders
from otx_seg.formats.layouts.mask_names import subset_word

logger = logging.getLogger(__name__)

_ANNOTATIONS = "annotations"
_TASKS = ("instances", "stuff")  # those with outlines, the first one first
_OTHER_TASKS = ("captions", "image_info", "labels", "panoptic", "person_keypoints")
_OF_FOLDERS = ("_annotations.coco.json", "labels.json")
_DATA = "data"
_YEAR = re.compile(r"(train|val|test)[-_]?\d{4}$")


class Coco(DataFormat):
    """Objects with outlines in a JSON file for each subset::

        annotations/instances_train2017.json     or stuff_..., or any name
        images/train2017/000000000009.jpg        or train2017/..., images/..., or beside the file

    Also ``train/_annotations.coco.json`` with the images beside it, and ``labels.json`` with the images in ``data/``.
    Polygons and run-length codes become masks as `otx_seg.annotations.coco_file.read_coco` says.
    """

    title = "COCO"
    layout = f"{_ANNOTATIONS}/instances_train.json"
    notes = (
        "objects; also `stuff_*.json` or any COCO file in `annotations/`, `train/_annotations.coco.json` (Roboflow), "
        "and `labels.json` beside `data/` (FiftyOne). Images in `images/train2017/`, `train2017/`, `images/`, `data/`, "
        "the root, or beside the file. The panoptic files "
        "are not read"
    )
    takes_annotation_file = True

    def detects(self, root: Path) -> bool:
        return bool(_files(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        files = {DEFAULT_SUBSET: annotations} if annotations is not None else _files(root)
        if not files:
            raise DataError(
                f"{root}: no COCO file with polygons of objects; expected is {self.layout}, or name it with "
                "--train-ann-files, --val-ann-files or --test-ann-files"
            )
        return {name: partial(_open, root, path) for name, path in files.items()}


def _files(root: Path) -> dict[str, Path]:
    """The file of annotations of each subset."""
    found: dict[str, Path] = {}
    ranks: dict[str, int] = {}
    for path in [*files_with(root / _ANNOTATIONS, ".json"), *files_with(root, ".json")]:
        task, _, rest = path.stem.partition("_")
        # A damaged file of that name is no reason to look elsewhere: whoever reads it says what is wrong.
        named = task in _TASKS and bool(rest) and path.parent.name == _ANNOTATIONS
        other = any(path.stem == other or path.stem.startswith(f"{other}_") for other in _OTHER_TASKS)
        if other or not (named or _is_coco(path)):
            continue
        rank, name = (_TASKS.index(task), rest) if task in _TASKS else (len(_TASKS), path.stem)
        name = _subset(name)
        if name not in found or rank < ranks[name]:
            found[name], ranks[name] = path, rank
    for folder in listed_folders(root):
        inside = _file_of_folder(folder)
        if inside is not None:
            found.setdefault(_subset(folder.name), inside)
    own = _file_of_folder(root)
    return {DEFAULT_SUBSET: own} if own is not None else found


def _file_of_folder(folder: Path) -> Path | None:
    """The file that describes the images beside it, as Roboflow has it, or those in ``data/`` (FiftyOne)."""
    roboflow, fiftyone = (folder / name for name in _OF_FOLDERS)
    if roboflow.is_file():
        return roboflow
    return fiftyone if holds_folders(folder, _DATA) and fiftyone.is_file() and _is_coco(fiftyone) else None


def _subset(name: str) -> str:
    year = _YEAR.match(name.lower())
    return year[1] if year else subset_name(name) or DEFAULT_SUBSET


def _is_coco(path: Path) -> bool:
    beginning = head(path)
    named = set(re.findall(r'"(info|licenses|images|categories|annotations)"\s*:', beginning))
    listed = ("images" in named and '"file_name"' in beginning) or (
        "annotations" in named and '"image_id"' in beginning
    )
    of_datumaro = '"dm_format_version"' in beginning or '"items"' in beginning
    return (listed or len(named) > 1) and not of_datumaro


def _open(root: Path, path: Path) -> Subset:
    content = read_coco(path)
    for remark in content.remarks:
        logger.warning("%s: %s", path, remark)
    folder = _images_folder(root, path, list(content.pages))
    file_of = {name: located(folder, name) for name in content.pages}
    uses = Counter(file_of.values())
    samples, unmatched, pages = [], [], {}
    for name, page in sorted(content.pages.items()):
        file = file_of[name]
        if file is None or (uses[file] > 1 and file != name):  # shortened paths may mean several files
            reason = f"named in {path.name}, but not in {folder}"
            unmatched.append(LeftOut("missing_files", reason, str(folder), name))
            continue
        samples.append(Sample(file, path.name, str(folder), str(path.parent)))
        pages[file] = page
    if not samples:
        raise DataError(
            f"{path}: none of its {len(content.pages)} images is below {root}; put them there, or correct "
            f"each file_name; {first_of(unmatched)}"
        )
    reader = OutlinedObjects(content.labels.names, content.labels.background or 0, pages)
    samples.sort(key=lambda sample: sample.name)
    return Subset(root, content.labels, tuple(samples), tuple(unmatched), reader)


def _images_folder(root: Path, path: Path, names: list[str]) -> Path:
    """The folder that file names start from: the first one in which one of a few of them is found."""
    few = names[:: max(1, len(names) // 10)]
    places = list(_candidates(root, path))
    for shortened in (False, True):  # a path that fits as it is says more
        for folder in places:
            if any(is_there(folder, below) for name in few for below in possible_paths(name, shortened)):
                return folder
    return root


def _candidates(root: Path, path: Path) -> Iterator[Path]:
    task, _, rest = path.stem.partition("_")
    named = rest if task in _TASKS else path.stem
    for place in (root / "images", root):
        yield place / named
        yield place / (subset_word(named) or named)  # train/ of instances_train_mine.json
        yield place
    yield path.parent
    yield path.parent / _DATA
