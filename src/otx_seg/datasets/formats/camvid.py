"""CamVid."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.datasets.data_format import Subsets
from otx_seg.datasets.folder import first_of, subset_name
from otx_seg.datasets.label_lists import labels_and_code, labels_of_root, lines_of, tell_assumed
from otx_seg.datasets.layout_clues import files_with, head
from otx_seg.datasets.listed_paths import located
from otx_seg.datasets.masks import MaskCode
from otx_seg.datasets.samples import LeftOut, Sample, Subset
from otx_seg.datasets.stored_masks import stored_mask
from otx_seg.errors import DataError
from otx_seg.labels import Labels

_LABELS = "label_colors.txt"
_QUOTE = '"'


class CamVid:
    """CamVid with lists of files::

        train.txt                /train/0001TP_006690.png trainannot/0001TP_006690.png
        val.txt                  ... an image and its mask per line, below this folder
        label_colors.txt         red green blue name per line, in the order of the values of index masks

    Without a list of labels, masks have to be in CamVid's 32 colours. A label called Void is ignored.
    """

    title = "CamVid"
    layout = "train.txt with an image and its mask per line"
    notes = (
        "labels of `label_colors.txt` or another list; else the masks have to be in CamVid's 32 colours. `Void` is "
        "ignored"
    )
    takes_annotation_file = False

    def detects(self, root: Path) -> bool:
        """See `DataFormat`."""
        return bool(_lists(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        """See `DataFormat`."""
        lists = _lists(root)
        if not lists:
            raise DataError(f"{root}: no list of files; expected is train.txt with an image and its mask per line")
        return {subset_name(path.stem): partial(_open, root, path) for path in lists}


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


def _open(root: Path, listed: Path) -> Subset:
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
    if not samples:
        raise DataError(f"{listed}: names no image that is there and has a mask; {first_of(unmatched)}")
    labels, code = _labels(root, samples[0])
    return Subset(root, labels, tuple(sorted(samples, key=lambda sample: sample.name)), tuple(unmatched), code)


def _labels(root: Path, sample: Sample) -> tuple[Labels, MaskCode]:
    listed = labels_of_root(root)
    if listed is not None:
        return listed
    if stored_mask(sample.mask).pixels.ndim != 3:
        raise DataError(
            f"{root}: no {_LABELS}, and {sample.mask} holds numbers whose labels are not known; write one with "
            "'red green blue name' per line in the order of these numbers"
        )
    from datumaro.plugins.data_formats.camvid import CamvidLabelMap  # slow to import

    tell_assumed(root, "CamVid", tuple(CamvidLabelMap))
    return labels_and_code(dict(CamvidLabelMap), root)
