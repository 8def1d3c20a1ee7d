"""Brush strokes of Label Studio, exported as PNG files."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.polygons import labels_with_background
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.united_masks import objects_on_ground
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.label_studio import LabelStudio
from otx_seg.formats.layouts.annotated_images import listed_names, subset_of
from otx_seg.formats.layouts.folder import SUBSETS, listed_folders, subset_name
from otx_seg.formats.layouts.layout_clues import files_with
from otx_seg.labels import IGNORE_INDEX, Labels
from otx_seg.runtime.image_files import image_names

_STROKES = re.compile(
    r"task-(\d{1,18})-annotation-(\d{1,18})(?:-by-[^-]*)?-tag-(.+)-\d+\.png", re.ASCII | re.IGNORECASE
)
_OF_TASK = re.compile(r"(?:task[-_ ]?)?0*(\d{1,18})", re.ASCII | re.IGNORECASE)


class _Strokes(NamedTuple):
    """A file of strokes.

    Attributes:
        path: below the root.
        task: number of its task.
        annotation: number of its annotation.
        label: its label.
    """

    path: str
    task: int
    annotation: int
    label: str


class LabelStudioMasks(DataFormat):
    """What Label Studio exports as "Brush labels to PNG", any number of files for an image, one for each label::

        task-12-annotation-3-by-1-tag-cat-0.png       or in a folder, such as masks/
        images/12.jpg                                 or task-12.jpg: the files say no more of an image than its task

    The same in folders train, val and test, which are subsets. Of several annotations of a task the last one counts.
    Where strokes overlap, the smaller region stays visible.
    """

    title = "Label Studio (brush labels as PNG)"
    layout = "task-12-annotation-3-by-1-tag-cat-0.png and images/12.jpg"
    notes = (
        "images are called like the number of their task. The export as JSON holds the same strokes and names the "
        "images: where it lies there too, it is read instead. Of two strokes that overlap, the smaller stays visible"
    )

    def detects(self, root: Path) -> bool:
        named = (path.name for folder in _folders(root) for path in files_with(folder, ".png"))
        return any(map(_STROKES.fullmatch, named)) and not LabelStudio().detects(root)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        every = list(image_names(str(root)))
        strokes = [
            _Strokes(name, int(match[1]), int(match[2]), match[3])
            for name in every
            if (match := _STROKES.fullmatch(name.rpartition("/")[2]))
        ]
        if not strokes:
            raise DataError(f"{root}: no strokes of Label Studio; expected is {self.layout}")
        images = sorted(name for name in every if not _STROKES.fullmatch(name.rpartition("/")[2]))
        labels = functools.cache(partial(_labels, root, strokes))
        return {
            name: partial(
                _open,
                root,
                [image for image in images if subset_of(image) == name],
                [each for each in strokes if subset_of(each.path) == name],
                labels,
            )
            for name in sorted({subset_of(each.path) for each in strokes})
        }


def _folders(root: Path) -> list[Path]:
    folders = [root, *listed_folders(root)]
    return folders + [
        below for folder in folders[1:] if subset_name(folder.name) in SUBSETS for below in listed_folders(folder)
    ]


def _labels(root: Path, strokes: Sequence[_Strokes]) -> tuple[Labels, dict[str, int], Path]:
    """The labels, the background first; the index of each by its name in the files; and what names them."""
    listed, source = listed_names(root)
    used = sorted({each.label for each in strokes})
    unknown = [name for name in used if listed is not None and name not in listed]
    if unknown:
        raise DataError(f"{root}: files are tagged {unknown[0]}, which is not in {source}; add it there")
    labels, indices = labels_with_background(listed or used, source or root)
    ground = labels.background or 0
    order = [ground, *(index for index in range(len(labels)) if index != ground)]
    ordered = Labels(tuple(labels.names[index] for index in order), tuple(labels.colors[index] for index in order), 0)
    places = {index: place for place, index in enumerate(order)} | {IGNORE_INDEX: IGNORE_INDEX}
    return ordered, dict(zip(listed or used, (places[index] for index in indices), strict=True)), source or root


def _open(
    root: Path,
    images: Sequence[str],
    strokes: Sequence[_Strokes],
    labels_of: Callable[[], tuple[Labels, Mapping[str, int], Path]],
) -> Subset:
    image_of = _by_task(root, images)
    last: dict[int, int] = {}
    for each in strokes:
        last[each.task] = max(each.annotation, last.get(each.task, 0))
    files: dict[str, list[_Strokes]] = defaultdict(list)
    left_out = []
    for each in sorted(strokes):
        if each.task not in image_of:
            left_out.append(LeftOut("unmatched_files", "strokes without image", str(root), each.path))
        elif each.annotation == last[each.task]:
            files[image_of[each.task]].append(each)
    if not files:
        first = min(strokes)
        raise DataError(
            f"{root}: no image belongs to its {len(strokes)} files of strokes, which tell no more of it than its task: "
            f"give that of {first.path} the name {first.task}.jpg, or export JSON as well, which names the images"
        )
    left_out += [
        LeftOut("unmatched_files", "image without strokes", str(root), image) for image in images if image not in files
    ]
    labels, index_of, source = labels_of()
    named = {image: [(f"{root}/{each.path}", index_of[each.label]) for each in of] for image, of in files.items()}
    samples = tuple(Sample(image, files[image][0].path, str(root), str(root)) for image in sorted(files))
    return Subset(root, labels, samples, tuple(left_out), objects_on_ground(labels.names, named, source.name))


def _by_task(root: Path, images: Sequence[str]) -> dict[int, str]:
    """The image of each task by its number."""
    found: dict[int, str] = {}
    for image in images:
        match = _OF_TASK.fullmatch(image.rpartition("/")[2].rpartition(".")[0])
        if match is None:
            continue
        if int(match[1]) in found:
            raise DataError(f"{root}: {found[int(match[1])]} and {image} both are the image of task {int(match[1])}")
        found[int(match[1])] = image
    return found
