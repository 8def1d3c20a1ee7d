"""What a folder holds that is no data set, in words: what it looks like, and what would make it one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from otx_seg.datasets.mask_names import kind_of
from otx_seg.errors import DataError
from otx_seg.runtime.image_files import file_names, is_image_name
from otx_seg.words import count

_LOOKED_AT = 3000  # files
_LISTED = 5
_COMPLETE = "images/ with images and masks/ with a mask of the same name for each"

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst")
_VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".wmv")
_VOLUMES = (".nii", ".nii.gz", ".dcm", ".mha", ".mhd", ".nrrd", ".svs", ".czi")
_TABLES = (".mat", ".h5", ".hdf5", ".npz", ".npy", ".parquet", ".tfrecord", ".tfrecords", ".pkl", ".arrow", ".lmdb")
_OTHER_IMAGES = (
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".jp2",
    ".svg",
    ".psd",
    ".cr2",
    ".nef",
    ".dng",
    ".ppm",
    ".pgm",
    ".exr",
)
_ANNOTATIONS = (".json", ".xml", ".csv", ".jsonl", ".ann")


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
        (_VIDEOS, "videos are no images: cut frames out of them (ffmpeg -i a.mp4 images/%06d.png), and label these"),
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
        twins = next((files for files in names.values() if len(files) > 1), None)
        if twins is not None:
            return (
                f"{' and '.join(sorted(twins)[:2])} lie side by side; if one is the mask of the other, add _mask to "
                "the names of masks (a_mask.png), or put them into masks/ and the images into images/"
            )
    number = sum(len(files) for names in seen.images.values() for files in names.values())
    where = sorted(folder for folder in seen.images if folder)
    listed = ", ".join(where[:_LISTED]) + (f" and {len(where) - _LISTED} more" if len(where) > _LISTED else "")
    what = f"{count(number, 'image')}{f' in {listed}' if where else ''}, and no masks"
    if all(kind_of(Path(folder).name) == "masks" for folder in seen.images):
        return (
            f"{what.removesuffix(', and no masks')}, and no images for these masks; put them into images/ beside that"
        )
    annotations = seen.of(_ANNOTATIONS)
    if annotations:
        return (
            f"{what}, but {annotations} of a kind that is not known; export them as COCO (with outlines) or as masks, "
            "or name their format with --data-format, whose names `otx convert --help` lists"
        )
    others = seen.of((*_ARCHIVES, *_TABLES, *_VOLUMES))
    if others:
        return f"{what}, but {others}, which are not read; if the masks are in there, save them as PNG in masks/"
    if len(seen.images) > 1 and all("/" not in folder for folder in seen.images) and "" not in seen.images:
        return (
            f"{what}; a folder for each class says what an image shows, not where: masks of the same names in masks/ "
            "beside images/ would. Without masks, `otx train --train-type Selfsupervised` teaches a backbone"
        )
    return (
        f"{what}; put masks of the same names into masks/ beside images/. Without masks, `otx train --train-type "
        "Selfsupervised` teaches a backbone"
    )


def _same_names(seen: _Survey) -> Iterator[tuple[str, str, int]]:
    """Pairs of folders whose images have the same names, and how many; the first few folders are compared."""
    folders = [(folder, set(names)) for folder, names in islice(seen.images.items(), 20)]
    for place, (one, names) in enumerate(folders):
        for other, others in folders[place + 1 :]:
            together = len(names & others)
            if together * 2 > min(len(names), len(others)):
                first, second = sorted((one, other))
                yield first, second, together


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
    found = seen.of([suffix for suffix, _ in seen.suffixes.most_common(_LISTED)])
    return f"it has {found}, which are not read here; save them as PNG"
