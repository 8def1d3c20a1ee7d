"""Images and their masks by the names of files, where no list says what belongs together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from otx_seg.annotations.masks import MaskCode
from otx_seg.annotations.samples import LeftOut, Sample
from otx_seg.annotations.united_masks import UnitedMasks
from otx_seg.errors import DataError
from otx_seg.formats.layouts.folder import paired
from otx_seg.formats.layouts.mask_names import by_affixes, ending_of_images, further_masks, masks_by_ending
from otx_seg.labels import Labels
from otx_seg.words import count

logger = logging.getLogger(__name__)


class Pairs(NamedTuple):
    """Files of a subset, by what the names of an image and its mask have in common.

    Attributes:
        images_folder, masks_folder: what the paths are relative to.
        images: path of each image.
        masks: path of each mask, also of those without image.
        further: paths of the masks that an image has beside that, by the same name.
    """

    images_folder: Path
    masks_folder: Path
    images: Mapping[str, str]
    masks: Mapping[str, str]
    further: Mapping[str, list[str]]

    @property
    def matches(self) -> int:
        """How many images have a mask."""
        return len(self.images.keys() & self.masks.keys())

    def samples(self) -> tuple[tuple[Sample, ...], tuple[LeftOut, ...]]:
        """The samples, sorted by name, and the files without partner. Raises DataError if there is no pair."""
        return paired(self.images, self.masks, self.images_folder, self.masks_folder)

    def masked(self) -> list[Sample]:
        """A sample for each mask that belongs to an image: several for an image that has several."""
        used = [(key, self.masks[key]) for key in self.images if key in self.masks]
        further = [(key, path) for key, paths in self.further.items() for path in paths]
        folders = (str(self.images_folder), str(self.masks_folder))
        return [Sample(self.images[key], path, *folders) for key, path in (*used, *further)]

    def reader(self, labels: Labels, code: MaskCode) -> MaskCode | UnitedMasks:
        """What reads the masks: as they are, or united where an image has several.

        Raises:
            DataError: some have, and it is not clear which label is around what they show.
        """
        if not self.further:
            return code
        if labels.background is None and code.values is not None and code.values[0] != 0:
            key, paths = next(iter(self.further.items()))
            raise DataError(
                f"{self.masks_folder}: {self.images[key]} has several masks ({self.masks[key]}, {paths[0]}), and no "
                f"label is the background on which they could be united; call one so in {code.source}"
            )
        ground = 0 if labels.background is None else code.names.index(labels.names[labels.background])
        files = {}
        for key, paths in self.further.items():
            every = [self.masks[key], *paths]
            files[self.images[key]] = tuple((f"{self.masks_folder}/{path}", None) for path in every)
        logger.info("%s: several masks of an image are united: of %s", self.masks_folder, count(len(files), "image"))
        return UnitedMasks(code.names, code, files, ground, code.void)


def _all(lists: Iterable[list[str]]) -> list[str]:
    return [path for paths in lists for path in paths]


def pairs_of_folders(
    images_folder: Path, masks_folder: Path, images: Mapping[str, str], names: Mapping[str, str]
) -> Pairs:
    """Images of one folder with the masks of another, by the ending of the masks' names that the most have.

    Args:
        images, names: paths of the images and of the masks by their names without suffix.

    Raises:
        DataError: two masks fit an image.
    """
    found = _pairs_of(images_folder, masks_folder, images, names)
    if not found.matches:
        nearer = _pairs_of(images_folder, masks_folder, _out_of_folder(images, names), _out_of_folder(names, images))
        return nearer if nearer.matches else found
    return found


def _out_of_folder(names: Mapping[str, str], others: Mapping[str, str]) -> Mapping[str, str]:
    """Names without the folder that all of them lie in, where others lie in none."""
    folder = min(names, default="").rpartition("/")[0]
    inside = folder and all(name.startswith(f"{folder}/") for name in names) and not any("/" in name for name in others)
    return {name.removeprefix(f"{folder}/"): path for name, path in names.items()} if inside else names


def _pairs_of(images_folder: Path, masks_folder: Path, images: Mapping[str, str], names: Mapping[str, str]) -> Pairs:
    by_ending = {"": {name: name for name in names}, **masks_by_ending(names)}
    best = max(by_ending, key=lambda ending: len(images.keys() & by_ending[ending].keys()))
    chosen = by_ending[best]
    if images.keys().isdisjoint(chosen):
        several = further_masks(names, images, "") or further_masks(names, images, "_mask")
        if several:  # x_0, x_1, ...: one for each object
            masks = {key: names[found[0]] for key, found in several.items()}
            further = {key: [names[name] for name in found[1:]] for key, found in several.items() if found[1:]}
            return Pairs(images_folder, masks_folder, images, masks, further)
        kinds = by_affixes(images, names)
        if kinds:
            _refuse_two_kinds(masks_folder, images, names, {str(i): one for i, one in enumerate(kinds)}, images.keys())
            lost = {name: names[name] for name in names.keys() - kinds[0].values()}
            masks = {**lost, **{key: names[name] for key, name in kinds[0].items()}}
            return Pairs(images_folder, masks_folder, images, masks, {})
    _refuse_two_kinds(masks_folder, images, names, by_ending, images.keys() & chosen.keys())
    single = {key: name for key, name in chosen.items() if key in images}
    left = names.keys() - single.values()
    several = {key: found for key, found in further_masks(left, images, best).items() if key in single}
    used = {*_all(several.values())}
    masks = {key: names[name] for key, name in chosen.items() if name not in used}
    return Pairs(
        images_folder, masks_folder, images, masks, {key: [names[n] for n in found] for key, found in several.items()}
    )


def pairs_beside(folder: Path, files: Mapping[str, str]) -> Pairs:
    """Images and masks of the same folders, by the ending that the most masks have.

    Args:
        files: paths of both by their names without suffix.

    Raises:
        DataError: two masks fit an image.
    """
    files = {name.removesuffix(ending_of_images(files)): path for name, path in files.items()}
    by_ending = masks_by_ending(files)
    best = max(by_ending, key=lambda ending: len(files.keys() & by_ending[ending].keys()))
    stems = by_ending[best]
    # An image may be called so too: a_mask.jpg, with a_mask_mask.png.
    masks = {stem: name for stem, name in stems.items() if stem in files or name not in stems}
    rest = files.keys() - masks.values()
    several = {key: found for key, found in further_masks(rest, rest, best).items() if key in masks}
    images = {key: files[key] for key in rest.difference(_all(several.values()))}
    _refuse_two_kinds(folder, images, files, by_ending, images.keys() & masks.keys())
    further = {key: [files[name] for name in found] for key, found in several.items()}
    return Pairs(folder, folder, images, {stem: files[name] for stem, name in masks.items()}, further)


def _refuse_two_kinds(
    folder: Path,
    images: Mapping[str, str],
    names: Mapping[str, str],
    by_ending: Mapping[str, Mapping[str, str]],
    labelled: Collection[str],
) -> None:
    """Refuse images that have masks of two endings, a_mask and a_seg: nothing tells which to learn from.

    Args:
        by_ending: see `masks_by_ending`.
        labelled: names of the images that have a mask.

    Raises:
        DataError: naming an image and both.
    """
    found: dict[str, str] = {}
    for ending, masks in by_ending.items():
        for stem, name in masks.items():
            # An image may be called like a mask, and then has one of the same name.
            if stem not in labelled or (ending and name in labelled):
                continue
            other = found.setdefault(stem, name)
            if other != name:
                raise DataError(
                    f"{folder}: two masks fit {images[stem]}: {names[other]} and {names[name]}; which to learn from? "
                    "Keep masks of one kind there"
                )
