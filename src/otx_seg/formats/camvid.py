"""CamVid."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_and_code, labels_of_root, lines_of, tell_assumed
from otx_seg.annotations.listed_paths import located
from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.pages import masks_that_fit
from otx_seg.annotations.samples import LeftOut, Sample, Subset
from otx_seg.annotations.stored_masks import stored_mask
from otx_seg.annotations.values_found import find_labels
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import first_of, subset_name
from otx_seg.formats.layouts.layout_clues import files_with, head
from otx_seg.labels import Labels

_LABELS = "label_colors.txt"
_QUOTE = '"'


class CamVid(DataFormat):
    """CamVid with lists of files::

        train.txt                /train/0001TP_006690.png trainannot/0001TP_006690.png
        val.txt                  ... an image and its mask per line, below this folder
        label_colors.txt         red green blue name per line, in the order of the values of index masks

    Without a list of labels, colours have to be CamVid's 32, and each number in masks is a label, label_0 and so on. A
    label called Void is ignored.
    """

    title = "CamVid"
    layout = "train.txt with an image and its mask per line"
    notes = (
        "labels of `label_colors.txt` or another list; else colours have to be CamVid's 32, and numbers are the labels "
        "`label_0` and so on. `Void` is ignored"
    )

    def detects(self, root: Path) -> bool:
        return bool(_lists(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        lists = _lists(root)
        if not lists:
            raise DataError(f"{root}: no list of files; expected is train.txt with an image and its mask per line")
        labels = functools.cache(partial(_labels, root, lists))  # the same for all, and looked for once
        return {subset_name(path.stem): partial(_open, root, path, labels) for path in lists}


def _lists(root: Path) -> list[Path]:
    """The text files whose first line names a mask that is there."""
    found = []
    for path in files_with(root, ".txt"):
        pair = _pair(next(iter(head(path).splitlines()), ""))
        if path.name != _LABELS and pair is not None and located(root, pair[1]):
            found.append(path)
    return found


def _pair(line: str) -> tuple[str, str] | None:
    """Image and mask of a line, or None; names with spaces stand in quotes."""
    words = [word for word in line.split(_QUOTE) if word.strip()] if _QUOTE in line else line.split()
    return (words[0].lstrip("/"), words[1].lstrip("/")) if len(words) == 2 else None


def _open(root: Path, listed: Path, labels_of: Callable[[], tuple[Labels, MaskCode]]) -> Subset:
    samples, unmatched = _samples(root, listed)
    if not samples:
        raise DataError(f"{listed}: names no image that is there and has a mask; {first_of(unmatched)}")
    labels, code = labels_of()
    return Subset(root, labels, tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched), code)


def _samples(root: Path, listed: Path) -> tuple[list[Sample], list[LeftOut]]:
    samples, unmatched = [], []
    for line in lines_of(listed):
        pair = _pair(line)
        if pair is None:
            unmatched.append(LeftOut("missing_files", f"{line!r} names no image and mask", str(root), listed.name))
            continue
        # The list may have been made for a copy of the data set deep in another one's folders.
        image, mask = (located(root, name) for name in pair)
        if image is None or mask is None:
            missing = pair[0] if image is None else pair[1]
            unmatched.append(LeftOut("missing_files", f"named in {listed.name}, but not there", str(root), missing))
            continue
        samples.append(Sample(image, mask, str(root), str(root)))
    return samples, unmatched


def _labels(root: Path, lists: Sequence[Path]) -> tuple[Labels, MaskCode]:
    listed = labels_of_root(root)
    if listed is not None:
        return listed
    samples = [sample for path in lists for sample in _samples(root, path)[0]]
    if not samples or stored_mask(samples[0].mask).pixels.ndim != 3:
        return find_labels(root, masks_that_fit(samples))
    from datumaro.plugins.data_formats.camvid import CamvidLabelMap  # slow to import

    tell_assumed(root, "CamVid", tuple(CamvidLabelMap))
    return labels_and_code(dict(CamvidLabelMap), root)
