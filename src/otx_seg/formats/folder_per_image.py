"""A folder for each image, with a mask for each object in it, as in the Data Science Bowl of 2018."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from otx_seg.annotations.dataset_meta import META_FILE
from otx_seg.annotations.label_lists import labels_and_code, labels_of_root
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.united_masks import objects_on_ground
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET, SUBSETS, by_subset, first_of, index_images, listed_folders
from otx_seg.formats.layouts.layout_clues import image_stems
from otx_seg.labels import Labels

logger = logging.getLogger(__name__)

_IMAGES, _MASKS = "images", "masks"
_ASSUMED = ("background", "object")
_LOOKED_INTO = 5


class FolderPerImage(DataFormat):
    """As in the Data Science Bowl of 2018, the nuclei::

        0a849e/images/0a849e.png
        0a849e/masks/19c1.png  0a849e/masks/5dd2.png ...     black and white, one for each object
        labels.txt                                           what is around objects, and what they are

    The folders may lie in train/, val/ and test/. The masks of an image are united: all objects are one label. Without
    a list of labels they are background and object. A folder without masks is left out.
    """

    title = "a folder per image, a mask per object"
    layout = "a/images/a.png and a/masks/ with a mask for each object"
    notes = (
        "as in the Data Science Bowl of 2018: the masks of an image are united, all objects are one label. Labels are "
        "the two of `labels.txt`, else `background` and `object`; folders also in `train/`, `val/`, `test/`"
    )

    def detects(self, root: Path) -> bool:
        if (root / META_FILE).is_file() or (root / _IMAGES).is_dir():
            return False
        return any(map(_is_one, (root, *(folder for name, folder in by_subset(root).items() if name in SUBSETS))))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        inside = {name: folder for name, folder in by_subset(root).items() if name in SUBSETS and _is_one(folder)}
        folders = inside or {DEFAULT_SUBSET: root}
        labels = functools.cache(partial(_labels, root))  # the same for all, and told once
        return {name: partial(_open, folder, labels) for name, folder in folders.items()}


def _is_one(folder: Path) -> bool:
    """Whether the first few folders in one hold an image each, and some of them several masks of other names."""
    inside = [path for path in islice(listed_folders(folder), _LOOKED_INTO) if path.name.lower() not in SUBSETS]
    names = [(image_stems(path / _IMAGES), image_stems(path / _MASKS)) for path in inside]
    return all(len(images) == 1 for images, _ in names) and any(len(masks - images) > 1 for images, masks in names)


def _labels(root: Path) -> Labels:
    listed = labels_of_root(root)
    labels = listed[0] if listed is not None else labels_and_code(dict.fromkeys(_ASSUMED), root)[0]
    if len(labels) != len(_ASSUMED):
        raise DataError(
            f"{root}: lists {len(labels)} labels ({', '.join(labels.names[:10])}); masks of single objects tell two "
            "apart: what is around objects, and what they are"
        )
    if listed is None:
        logger.info("%s: the masks of each image are united; the labels are background and object", root)
    return labels


def _open(folder: Path, labels_of: Callable[[], Labels]) -> Subset:
    labels = labels_of()
    files: dict[str, Sequence[tuple[str, int]]] = {}
    unmatched: list[LeftOut] = []
    for place in listed_folders(folder):
        images, masks = (index_images(place / part) if (place / part).is_dir() else {} for part in (_IMAGES, _MASKS))
        names = [f"{place.name}/{_IMAGES}/{path}" for path in sorted(images.values())]
        if len(names) == 1 and masks:
            files[names[0]] = [(f"{place}/{_MASKS}/{path}", 1) for path in sorted(masks.values())]
        else:
            reason = "one of several images in a folder for one" if len(names) > 1 else "image without mask"
            unmatched += [LeftOut("unmatched_files", reason, str(folder), name) for name in names]
    if not files:
        raise DataError(f"{folder}: no folder with an image and masks; {first_of(unmatched)}")
    samples = tuple(Sample(name, name, str(folder), str(folder)) for name in sorted(files))
    return Subset(folder, labels, samples, tuple(unmatched), objects_on_ground(labels.names, files, str(folder)))
