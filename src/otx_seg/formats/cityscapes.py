"""Cityscapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_or_assumed
from otx_seg.annotations.masks import Color
from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import index_images, listed_folders, pair_files, subset_name
from otx_seg.formats.layouts.layout_clues import holds_folders

_IMAGES, _MASKS = "leftImg8bit", "gtFine"
_IMAGE_ENDING, _TRAIN_IDS, _IDS = "_leftImg8bit", "_gtFine_labelTrainIds", "_gtFine_labelIds"


class Cityscapes(DataFormat):
    """A data set as of Cityscapes::

        leftImg8bit/train/bochum/bochum_000000_000313_leftImg8bit.png
        gtFine/train/bochum/bochum_000000_000313_gtFine_labelIds.png       or ..._labelTrainIds.png
        label_colors.txt                         red green blue name per line, in the order of the masks' values

    Without a list of labels, the labels are the 19 that the benchmark scores, whatever kind of masks there are (if
    both, labelTrainIds); all other pixels are ignored.
    """

    title = "Cityscapes"
    layout = f"{_IMAGES}/ and {_MASKS}/"
    notes = (
        "`_labelTrainIds` come before `_labelIds`. Without a list of labels they are the 19 the benchmark "
        "scores, under Datumaro's names (`trafficlight`); all else is ignored"
    )

    def detects(self, root: Path) -> bool:
        return holds_folders(root, _IMAGES, _MASKS)

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        missing = next((name for name in (_IMAGES, _MASKS) if not (root / name).is_dir()), None)
        if missing is not None:
            raise DataError(f"{root}: no folder {missing}; a Cityscapes data set has {_IMAGES}/ and {_MASKS}/")
        folders = listed_folders(root / _MASKS)
        if not folders:
            raise DataError(f"{root / _MASKS}: no subset folder; expected are train/ and val/")
        return {subset_name(folder.name): partial(_open, root, folder.name) for folder in folders}


def _open(root: Path, folder: str) -> Subset:
    images, masks = root / _IMAGES / folder, root / _MASKS / folder
    ending = next((name for name in (_TRAIN_IDS, _IDS) if index_images(masks, name)), None)
    if ending is None:
        raise DataError(f"{masks}: no masks; expected are files that end in {_IDS}.png or {_TRAIN_IDS}.png")
    samples, unmatched = pair_files(images, masks, _IMAGE_ENDING, ending)
    known = scored_labels if ending == _TRAIN_IDS else all_labels
    labels, code = labels_or_assumed(root, "Cityscapes", known, by_value=True)
    return Subset(root, labels, samples, unmatched, code)


def scored_labels() -> tuple[Mapping[str, Color], Sequence[str]]:
    """The labels that the benchmark scores, in the order of the values of labelTrainIds; none is void."""
    from datumaro.plugins.data_formats import cityscapes  # slow to import

    scored = dict(cityscapes.TRAIN_CITYSCAPES_LABEL_MAP)
    scored.pop("background", None)  # Datumaro's name for what is ignored
    return scored, ()


def all_labels() -> tuple[Mapping[str, Color], Sequence[str]]:
    """The labels in the order of the values of labelIds, and those that are not scored."""
    from datumaro.plugins.data_formats import cityscapes  # slow to import

    every, scored = dict(cityscapes.CITYSCAPES_LABEL_MAP), scored_labels()[0]
    return every, [name for name in every if name not in scored]
