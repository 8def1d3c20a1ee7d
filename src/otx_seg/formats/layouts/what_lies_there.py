"""What a folder holds that is no data set, in words: what it looks like, and what would make it one."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.annotations.samples import LeftOut
from otx_seg.errors import DataError
from otx_seg.formats.layouts.layout_clues import head
from otx_seg.formats.layouts.mask_names import called_alike, kind_of, subset_word
from otx_seg.runtime.image_files import file_names, is_image_name, unread_in, unread_names
from otx_seg.words import count, listed

_LOOKED_AT = 3000  # files
_LISTED = 5
_COMPLETE = "images/ with images and masks/ with a mask of the same name for each"

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv")
_VOLUMES = (".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd", ".svs", ".czi")
_TABLES = (".mat", ".h5", ".hdf5", ".npz", ".npy", ".parquet", ".tfrecord", ".tfrecords", ".pkl", ".arrow", ".lmdb")
_OTHER_IMAGES = (
    *(".heic", ".heif", ".avif", ".gif", ".jp2", ".svg", ".psd", ".cr2", ".nef", ".dng", ".ppm", ".pgm", ".exr"),
    ".xcf",
)
_ANNOTATIONS = (".json", ".xml", ".csv", ".jsonl", ".ann", ".geojson")
MAY_HOLD_MASKS = frozenset(
    (*_ARCHIVES, *_VOLUMES, *_TABLES, *_ANNOTATIONS, ".txt", ".yaml", ".yml", ".psd", ".xcf", ".svg")
)
"""Suffixes of files that may say where in images beside them something is."""

# What the beginnings of files of annotations have in them, what they are then, and what helps.
_KNOWN_TEXTS = (
    (r'"schema_ref"|darwin', "of V7 (Darwin); export the data set from V7 as COCO instead"),
    (r'"segments_info"', "of panoptic COCO; take instances_*.json or stuff_*.json instead"),
    (r'"FeatureCollection"|POLYGON ?\(', "with outlines on a map; draw them into PNG masks as large as the images"),
    (r"EncodedPixels|rle", "with run lengths; write a PNG mask for each image out of them, into masks/"),
    (
        r'<bndbox>|xmin|"bbox"(?![^\x00]*"segmentation")',
        "with boxes, which are not enough: outlines or masks are needed",
    ),
)
_UNKNOWN_TEXT = (
    "of a kind that is not known; export them as COCO (with outlines) or as masks, or name their format with "
    "--data-format, whose names `otx convert --help` lists"
)


class _Survey(NamedTuple):
    """The first files below a folder: their number by suffix, one of each, and the names of images by folder."""

    suffixes: Counter[str]
    first: Mapping[str, str]
    images: Mapping[str, dict[str, list[str]]]

    def of(self, suffixes: Iterable[str]) -> str:
        """Those of some suffixes in words: 3 .zip files (a.zip, for example); nothing if there are none."""
        found = [suffix for suffix in suffixes if self.suffixes[suffix]]
        return " and ".join(
            f"{count(self.suffixes[suffix], f'{suffix} file')} ({self.first[suffix]})" for suffix in found[:_LISTED]
        )


def unknown_layout(root: Path) -> str:
    """What is wrong with a folder in no layout that is known, and what to do, with ``; `` between."""
    seen = _survey(root)
    if not seen.suffixes:
        return f"there are no files in it; put {_COMPLETE} there"
    if seen.images:
        return _of_images(root, seen)
    for suffixes, advice in (
        (_ARCHIVES, "unpack it, and name the folder that it gives"),
        (_VIDEOS, "videos are not images: cut frames out of them (ffmpeg -i a.mp4 images/%06d.png), and label these"),
        (_VOLUMES, "volumes are not read: save their slices as PNG, images and masks under the same names"),
        (_TABLES, "such files are not read: write images and masks out of them as PNG, under the same names"),
        (_OTHER_IMAGES, "these are not read: save them as PNG or JPEG"),
    ):
        if seen.of(suffixes):
            return f"no image that is read, but {seen.of(suffixes)}; {advice}"
    others = seen.of([suffix for suffix, _ in seen.suffixes.most_common(_LISTED)])
    return f"no image in it, but {others}; name the folder of the images and masks"


def _survey(root: Path) -> _Survey:
    suffixes: Counter[str] = Counter()
    first: dict[str, str] = {}
    images: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    try:
        for path in islice(file_names(str(root)), _LOOKED_AT):
            folder, _, name = path.rpartition("/")
            if name == META_FILE:
                continue
            stem, dot, ending = name.lower().partition(".") if name.lower().endswith(".nii.gz") else _parts(name)
            suffixes[f"{dot}{ending}"] += 1
            first[f"{dot}{ending}"] = min(path, first.get(f"{dot}{ending}", path))
            if is_image_name(name):
                images[folder][stem].append(name)
    except DataError:  # a folder that may not be read; what has been seen has to do
        pass
    return _Survey(suffixes, first, images)


def _parts(name: str) -> tuple[str, str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, dot, ending.lower()) if stem else (name, "", "no suffix")


def _of_images(root: Path, seen: _Survey) -> str:
    pairs = list(islice(_same_names(seen), 1))
    if pairs:
        one, other, number = pairs[0]
        return (
            f"its folders {one or '.'} and {other} hold {count(number, 'image')} of the same names; if one of them has "
            "the masks, call the folder of images images and that of masks masks, side by side"
        )
    for names in seen.images.values():
        every = [name for files in names.values() for name in files]
        twins = next((sorted(files)[:2] for files in names.values() if len(files) > 1), called_alike(every))
        if twins:
            return (
                f"{' and '.join(twins)} lie side by side; if one is the mask of the other, add _mask to "
                "the names of masks (a_mask.png), or put them into masks/ and the images into images/"
            )
    images = {folder: names for folder, names in seen.images.items() if not _is_in_masks(folder)}
    masks = {folder: names for folder, names in seen.images.items() if folder not in images}
    if not images:
        return f"{_in_words(masks)}, and no images for these masks; put them into images/ beside that"
    if masks:
        return (
            f"{_in_words(images)}, and {_in_words(masks)}, but none belongs to another by its name ({_first(images)}, "
            f"{_first(masks)}); give each mask the name of its image, in masks/ beside images/"
        )
    what = f"{_in_words(images)}, and no masks"
    for suffixes, advice in (
        (_ARCHIVES, "if the masks are in there, unpack it into masks/ beside images/"),
        ((*_TABLES, *_VOLUMES), "not read; if the masks are in there, save them as PNG in masks/ beside images/"),
    ):
        if seen.of(suffixes):
            return f"{what}, but {seen.of(suffixes)}; {advice}"
    if seen.of(_ANNOTATIONS):
        return f"{what}, but {_annotations(root, seen)}"
    advice = "put masks of the same names into masks/ beside images/"
    if len(images) > 1 and "" not in images and not any("/" in folder or subset_word(folder) for folder in images):
        advice = (
            "a folder for each class says what an image shows, not where: masks of the same names in masks/ beside "
            "images/ would"
        )
    return f"{what}; {advice}. Without masks, `otx train --train-type Selfsupervised` teaches a backbone"


def _is_in_masks(folder: str) -> bool:
    return any(kind_of(part) == "masks" for part in folder.split("/"))


def _in_words(images: Mapping[str, Mapping[str, list[str]]]) -> str:
    """How many images lie in which folders."""
    number = sum(len(files) for names in images.values() for files in names.values())
    where = sorted(folder for folder in images if folder)
    return f"{count(number, 'image')}{f' in {listed(where, _LISTED)}' if where else ''}"


def _first(images: Mapping[str, Mapping[str, list[str]]]) -> str:
    return min(name for names in images.values() for files in names.values() for name in files)


def _annotations(root: Path, seen: _Survey) -> str:
    """The files of annotations, of what kind they are, and what to do."""
    begin = head(root / next(seen.first[suffix] for suffix in _ANNOTATIONS if seen.suffixes[suffix]))
    known = next((what for telling, what in _KNOWN_TEXTS if re.search(telling, begin)), _UNKNOWN_TEXT)
    return f"{seen.of(_ANNOTATIONS)} {known}"


def _same_names(seen: _Survey) -> Iterator[tuple[str, str, int]]:
    """Pairs of folders whose images have the same names, and how many; the first few folders are compared."""
    folders = [(folder, set(names)) for folder, names in islice(seen.images.items(), 20)]
    for place, (one, names) in enumerate(folders):
        for other, others in folders[place + 1 :]:
            together = len(names & others)
            if together * 2 > min(len(names), len(others)) and not _are_subsets(one, other):
                first, second = sorted((one, other))
                yield first, second, together


def _are_subsets(one: str, other: str) -> bool:
    """Whether two folders differ by words for subsets alone: Train/Label and Test/Label."""
    differing = [pair for pair in zip(one.split("/"), other.split("/"), strict=False) if pair[0] != pair[1]]
    return bool(differing) and all(map(subset_word, chain.from_iterable(differing)))


def no_pairs(images: Mapping[str, str], masks: Mapping[str, str], images_folder: Path, masks_folder: Path) -> str:
    """Why no image has a mask, and what to do, with ``; `` between.

    Args:
        images, masks: paths below the folders, by what is compared; one image at least.
    """
    image = min(images.values())
    mask = min(masks.values(), default=None)
    if mask is None and images_folder == masks_folder:
        return f"no image has a mask of the same name beside it; the mask of {image} is called {_stem(image)}_mask.png"
    if mask is None:
        return f"no image has a mask of the same name; {masks_folder.name}/ holds no masks: {what_else(masks_folder)}"
    if _stem(image).rpartition("/")[2] in {_stem(path).rpartition("/")[2] for path in masks.values()}:
        twin = next(
            path for path in masks.values() if _stem(path).rpartition("/")[2] == _stem(image).rpartition("/")[2]
        )
        return (
            f"no image has a mask of the same name; {image} and {twin} lie in folders of different names below "
            f"{images_folder.name}/ and {masks_folder.name}/: give both sides the same folders"
        )
    return (
        f"no image has a mask of the same name; images are called like {image}, masks like {mask}: give each mask the "
        f"name of its image ({_stem(image)}.png or {_stem(image)}_mask.png)"
    )


def _stem(path: str) -> str:
    return path[: path.rindex(".")]


def what_else(folder: Path) -> str:
    """What a folder holds in which images or masks were expected, and what to do."""
    seen = _survey(folder)
    if not seen.suffixes:
        return "the folder is empty"
    if seen.of(_ANNOTATIONS):
        return f"it has {_annotations(folder, seen)}"
    found = seen.of([suffix for suffix, _ in seen.suffixes.most_common(_LISTED)])
    return f"it has {found}, which are not read here; save them as PNG"


def no_images(folder: Path, named: str = "") -> str:
    """What to say of a folder without images (`named`: like what), or with those of formats that are not read alone."""
    return f"{folder}: {unread_in(folder) or f'no images{named}; {what_else(folder)}'}"


def unread_files(*folders: Path) -> tuple[LeftOut, ...]:
    """The images in some folders whose formats are not read."""
    return tuple(
        LeftOut("unread_files", "in a format that is not read", str(folder), name)
        for folder in dict.fromkeys(folders)
        for name in unread_names(str(folder))
    )
