"""How names of mask files and of folders tell what belongs together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

MASK_ENDINGS = (
    *("_mask", "_masks", "_label", "_labels", "_gt", "_groundtruth", "_ground_truth", "_seg", "_segmentation"),
    *("_annotation", "_annot", "_L"),
)
"""What the names of masks may have behind those of their images: in any case but for the last, and with - for _."""

_LOWER_ENDINGS = tuple(ending.lower() for ending in MASK_ENDINGS)

IMAGE_FOLDERS = frozenset(
    ("images", "image", "imgs", "img", "imgdir", "imagedir", "imagesdir", "imgsdir", "originalimages", "original")
)
"""What folders of images are called, letters alone."""
MASK_FOLDERS = frozenset(
    (
        *("masks", "mask", "labels", "label", "annotations", "annotation", "gt", "groundtruth", "segmentation"),
        *("segmentations", "anndir", "maskdir", "masksdir", "labeldir", "labelsdir", "annot", "annots"),
        *("manual", "stmanual", "ndmanual", "groundtruths", "groundtruthpngimg", "semanticmasks"),
    )
)
"""What folders of masks are called, letters alone."""

_SUBSET = r"(?:train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?)"
_BEFORE = re.compile(rf"({_SUBSET})(.*)")
_BEHIND = re.compile(rf"(.*?)({_SUBSET})")
_NUMBERED = re.compile(r"(.+?)[_\- ]?\(?\d{1,4}\)?")
_WORD = r"(?:images?|imgs?|photos?|orig|rgb|masks?|labels?|seg|gt|manual\d?|training|test)"
_CORE = re.compile(rf"{_WORD}[_\- ]+(.+)|(.+)[_\- ]{_WORD}", re.IGNORECASE)


def letters_of(name: str) -> str:
    """A name in small letters without anything that is none: ``Ground Truth`` as ``groundtruth``."""
    return "".join(filter(str.isalpha, name.casefold()))


def subset_and_kind(folder: str) -> tuple[str, str] | None:
    """What a folder called ``train_images``, ``masks-val`` or ``trainannot`` holds: the word for its subset, and
    "images" or "masks"; also ("train", "") for ``train``. None for other names."""
    letters = letters_of(folder)
    before, behind = _BEFORE.fullmatch(letters), _BEHIND.fullmatch(letters)
    for subset, word in (
        (before[1], before[2]) if before else ("", ""),
        (behind[2], behind[1]) if behind else ("", ""),
    ):
        if subset and (not word or word in IMAGE_FOLDERS):
            return subset, "images" if word else ""
        if subset and word in MASK_FOLDERS:
            return subset, "masks"
    return None


def stem_of_image(stem: str, ending: str) -> str | None:
    """The name of the image whose mask is called so, or None: ``a`` of ``a_GT`` for the ending ``_gt``."""
    if not ending:
        return stem
    kept, tail = stem[: -len(ending)], stem[-len(ending) :]
    same = tail == ending or (ending != "_L" and tail.lower().replace("-", "_") == ending)
    return kept if same and kept and not kept.endswith("/") else None


def masks_beside(names: Collection[str]) -> set[str]:
    """Those of some names without suffix that are called like masks of others: a_mask where there is a."""
    known = {*names}
    return {name for name in _with_an_ending(names) for ending in MASK_ENDINGS if stem_of_image(name, ending) in known}


def _with_an_ending(names: Iterable[str]) -> list[str]:
    """Those of many names that end in one of `MASK_ENDINGS`, found quickly."""
    return [name for name in names if name.lower().replace("-", "_").endswith(_LOWER_ENDINGS)]


def masks_by_ending(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """For each of `MASK_ENDINGS`, the names without suffix that have it, by the names of their images."""
    found: dict[str, dict[str, str]] = {ending: {} for ending in MASK_ENDINGS}
    for name in _with_an_ending(names):
        for ending in MASK_ENDINGS:
            stem = stem_of_image(name, ending)
            if stem is not None:
                found[ending][stem] = name
    return found


def further_masks(names: Iterable[str], images: Collection[str], ending: str) -> dict[str, list[str]]:
    """Masks of which an image has several, ``a_mask_1`` or ``a_mask (2)``, by the name of the image, sorted.

    Args:
        names: of masks that belong to no image by `stem_of_image`.
        images: names of images without suffix.
    """
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        numbered = _NUMBERED.fullmatch(name)
        stem = stem_of_image(numbered[1], ending) if numbered else None
        if stem is not None and stem in images:
            found.setdefault(stem, []).append(name)
    return found


def by_core(names: Mapping[str, str]) -> dict[str, str] | None:
    """Paths by what is left of their names without a word such as image_ or mask_; None where that is not unique."""
    found: dict[str, str] = {}
    for name, path in names.items():
        folder, slash, stem = name.rpartition("/")
        match = _CORE.fullmatch(stem)
        core: str = (match[1] or match[2] or stem) if match else stem
        if found.setdefault(f"{folder}{slash}{core}", path) != path:
            return None
    return found
