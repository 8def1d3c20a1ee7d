"""How names of mask files and of folders tell what belongs together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

MASK_ENDINGS = (
    *("_mask", "_masks", "_label", "_labels", "_gt", "_groundtruth", "_ground_truth", "_seg", "_segmentation"),
    *("_annotation", "_annot", "_anno", "_lab", "_L"),
)
"""What the names of masks may have behind those of their images: in any case but for the last, and with - for _."""

JPEG, PNG = (".jpg", ".jpeg"), ".png"
"""Suffixes of which the second may be a mask beside an image of the first, since no mask is made to be a JPEG."""

_LOWER_ENDINGS = tuple(ending.lower() for ending in MASK_ENDINGS)

_IMAGE_WORDS = frozenset(("image", "images", "img", "imgs", "photo", "photos", "original", "rgb", "input", "inputs"))
_MASK_WORDS = frozenset(
    (
        *("mask", "masks", "label", "labels", "lab", "labs", "annotation", "annotations", "annot", "annots", "anno"),
        *("ann", "gt", "gts", "groundtruth", "groundtruths", "segmentation", "segmentations", "seg", "manual"),
    )
)
_SUBSET = r"(?:train(?:ing)?|val(?:id(?:ation)?)?|test(?:ing)?)"
_RUN_TOGETHER = "|".join(sorted(_IMAGE_WORDS | _MASK_WORDS, key=len, reverse=True))
_WORDS = re.compile(
    rf"ground[^a-z]?truths?|{_SUBSET}(?=(?:{_RUN_TOGETHER})?(?![a-z]))|"
    rf"(?:{_RUN_TOGETHER})(?=(?:dir|{_SUBSET})?(?![a-z]))|[a-z]+"
)
_SMALL_WORDS = frozenset(("dir", "st", "nd", "rd"))
_UNUSED = "unused"  # what is to be passed over, as messages advise to call it
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_NUMBERED = re.compile(r"(.+?)[_\- ]?\(?\d{1,4}\)?")
_SEPARATORS = "_. -"  # as a part of a regular expression
_TRIED = 3  # names of images whose masks are looked for


def words_of(name: str) -> list[str]:
    """The words in a name, in small letters: ``groundTruth_PNG`` is groundtruth and png, ``trainannot`` two too."""
    found = _WORDS.findall(_CAMEL.sub(" ", name).lower())
    return ["".join(filter(str.isalpha, word)) for word in found]


def kind_of(folder: str) -> str:
    """What a folder holds by the words in its name: "masks", "images", or "" where they do not say.

    A word for masks comes before one for images: ``gt_image`` has masks.
    """
    words = {*words_of(folder)}
    if _UNUSED in words:
        return ""
    return "masks" if words & _MASK_WORDS else "images" if words & _IMAGE_WORDS else ""


def is_plain(folder: str, more: str = "") -> bool:
    """Whether the name of a folder says what it holds, with the word `more`, and nothing else: not ``masks_shown``."""
    return {*words_of(folder)} <= _IMAGE_WORDS | _MASK_WORDS | _SMALL_WORDS | {more}


def subset_word(folder: str) -> str:
    """The only word for a subset in the name of a folder, ``val`` in ``masks-val``; "" if there is none or several."""
    found = [word for word in words_of(folder) if re.fullmatch(_SUBSET, word)]
    return found[0] if len(found) == 1 else ""


def stem_of_image(stem: str, ending: str) -> str | None:
    """The name of the image whose mask is called so, or None: ``a`` of ``a_GT`` for the ending ``_gt``."""
    if not ending:
        return stem
    kept, tail = stem[: -len(ending)], stem[-len(ending) :]
    same = tail == ending or (ending != "_L" and tail.lower().replace("-", "_") == ending)
    return kept if same and kept and not kept.endswith("/") else None


def masks_beside(names: Collection[str]) -> set[str]:
    """Those of some names without suffix that are called like masks of others: a_mask where there is a, or a_sat."""
    known, end = {*names}, ending_of_images(names)
    return {
        name for stems in masks_by_ending(names).values() for stem, name in stems.items() if f"{stem}{end}" in known
    }


def ending_of_images(names: Collection[str]) -> str:
    """What all names of images end in that those of their masks lack: ``_sat`` of a_sat with a_mask; mostly ""."""
    known, by_ending = {*names}, masks_by_ending(names)
    stems = {stem for of_ending in by_ending.values() for stem in of_ending}
    if not stems.isdisjoint(known):
        return ""
    end = common_affixes(known.difference(*map(dict.values, by_ending.values())))[1] if stems else ""
    return end if any(f"{stem}{end}" in known for stem in stems) else ""


def mask_of_twins(one: str, other: str) -> str | None:
    """Which of two files of the same name without suffix is the mask of the other: the PNG beside a JPEG."""
    for image, mask in ((one, other), (other, one)):
        if image.lower().endswith(JPEG) and mask.lower().endswith(PNG):
            return mask
    return None


def masks_by_ending(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """For each of `MASK_ENDINGS`, the names without suffix that have it, by the names of their images."""
    found: dict[str, dict[str, str]] = {ending: {} for ending in MASK_ENDINGS}
    for name in names:
        # Of many names few have one, and this is told quickly.
        for ending in MASK_ENDINGS if name.lower().replace("-", "_").endswith(_LOWER_ENDINGS) else ():
            stem = stem_of_image(name, ending)
            if stem is not None:
                found[ending][stem] = name
    return found


def called_alike(names: Iterable[str]) -> list[str]:
    """A JPEG and another file whose name has more behind the same beginning: a.jpg and a_1stHO.png; else nothing."""
    for one, other in pairwise(sorted(names, key=lambda name: name.rpartition(".")[0])):
        stem, longer = (name.rpartition(".")[0] for name in (one, other))
        goes_on = longer.startswith(stem) and longer[len(stem) : len(stem) + 1] in [*_SEPARATORS]
        if goes_on and one.lower().endswith(JPEG) and not other.lower().endswith(JPEG):
            return [one, other]
    return []


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


def common_affixes(stems: Collection[str]) -> tuple[str, str]:
    """What all of some names without suffix begin with and end in, whole words: ``image_`` and ``_rgb``.

    Of a single name, its first and its last word.
    """
    names = [stem.rpartition("/")[2] for stem in stems]
    start, end = _common_start(names), _common_start([name[::-1] for name in names])[::-1]
    apart, part = f"[{_SEPARATORS}]", f"[^{_SEPARATORS}]+" if len({*names}) == 1 else ".*"
    before, behind = re.match(part + apart, start), re.search(f"{apart}{part}$", end)
    return before[0] if before else "", behind[0] if behind else ""


def _common_start(names: Collection[str]) -> str:
    first, last = min(names, default=""), max(names, default="")  # in between lie the others
    same = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(same, min(len(first), len(last)))]


def by_affixes(images: Mapping[str, str], masks: Mapping[str, str]) -> list[dict[str, str]]:
    """Names of masks by those of their images, for each kind of masks whose names differ from those of images by words
    that are the same in all: ``a_leftImg8bit`` and ``a_gtFine_labelIds``.

    What the names of masks have more than those of images may be any words; where names of images have some that those
    of masks lack, one of the masks' has to be a word for masks.
    """
    start, end = common_affixes(images)
    found: list[dict[str, str]] = []
    for before, behind in dict.fromkeys((("", ""), ("", end), (start, ""), (start, end))):
        cores = {}
        for name in images:
            folder, slash, stem = name.rpartition("/")
            if len(stem) > len(before) + len(behind):
                cores[name] = f"{folder}{slash}", stem[len(before) : len(stem) - len(behind)]
        for affixes in _affixes_around([*cores.values()][:: max(1, len(cores) // _TRIED)], masks):
            if (before or behind) and _MASK_WORDS.isdisjoint(words_of(" ".join(affixes))):
                continue
            named = {name: affixes[0].join((folder, core)) + affixes[1] for name, (folder, core) in cores.items()}
            fitting = {name: mask for name, mask in named.items() if mask in masks}
            if fitting and fitting not in found:
                found.append(fitting)
        if found:
            break
    most = max(map(len, found), default=0)
    return [fitting for fitting in found if len(fitting) * 2 >= most]


def _affixes_around(cores: Iterable[tuple[str, str]], masks: Iterable[str]) -> list[tuple[str, str]]:
    """What the names of masks have before and behind some parts of names, whole words."""
    found = set()
    for folder, core in cores:
        whole = re.compile(
            rf"{re.escape(folder)}((?:[^/]*[{_SEPARATORS}])?){re.escape(core)}((?:[{_SEPARATORS}][^/]*)?)"
        )
        found |= {(match[1], match[2]) for match in map(whole.fullmatch, masks) if match}
    return sorted(found)
