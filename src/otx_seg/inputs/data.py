"""The labelled data that a command works on: as given, else as a workspace's ``data.yaml`` says, and how to read it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from otx_seg.datasets import (
    AS_IT_LOOKS,
    HowToRead,
    Subset,
    find_subsets,
    find_training,
    format_of,
    looks_like,
    open_test,
)
from otx_seg.errors import UsageError
from otx_seg.inputs.last_training import LastTraining, last_training, recorded_validation
from otx_seg.inputs.resolver import Place
from otx_seg.runtime.image_files import images_in

logger = logging.getLogger(__name__)

_TESTED_ON = ("test", "val")


class ToTrainOn(NamedTuple):
    """Where the labelled data of a training is, and how to read it."""

    train: Path
    val: Path | None
    how: HowToRead


class ToMeasureOn(NamedTuple):
    """Where the labelled data to measure a model on is, and how to read it.

    Attributes:
        training: the training that took the images from those to train on; None: they lie apart.
    """

    root: Path
    how: HowToRead
    training: LastTraining | None = None

    def open(self, use_polygons: bool = False) -> Subset:
        """The images. Raises DataError if they cannot be used."""
        if self.training is None:
            return open_test(self.root, use_polygons, self.how)
        return recorded_validation(self.training.run, find_training(self.root, None, use_polygons, self.how))


class ToLookThrough(NamedTuple):
    """Where all the labelled data is, as far as there is some, and how to read it."""

    train: Path | None
    val: Path | None
    test: Path | None
    how: HowToRead


def to_train_on(place: Place, train: str | Path | None, val: str | Path | None, how: HowToRead) -> ToTrainOn:
    """The labelled data to train on and to validate on.

    A file of annotations in ``data.yaml`` is for the folder there, not for one that is given. The format there is for
    both folders, as soon as one of them is from there.

    Args:
        train, val: the folders given.
        how: what is given on how to read them; it is stronger than ``data.yaml``.

    Raises:
        UsageError: no training data is named anywhere, or ``data.yaml`` cannot be understood.
        DataError: it names a folder or a file that is not there.
    """
    train_root, val_root = place.train_root(train), place.root(val, "val")
    of_train = train is None
    # Without a folder of its own, what is validated on lies in the training folder.
    of_val = val is None and (of_train or place.names("val"))
    how = replace(
        how,
        train_annotations=how.train_annotations or (_annotations(place, "train") if of_train else None),
        val_annotations=how.val_annotations or (_annotations(place, "val") if of_val else None),
    )
    return ToTrainOn(train_root, val_root, _in_format(place, how) if of_train or of_val else how)


def to_measure_on(place: Place, given: str | Path | None, how: HowToRead) -> ToMeasureOn:
    """As `to_measure_on_if_any`, else the images that the last training took from its own to validate on.

    Raises:
        UsageError: there are none.
    """
    found = to_measure_on_if_any(place, given, how) or _validated_on(place, how)
    hint = "name the folder of labelled images to measure on"
    return place.missing("--test-data-roots", hint) if found is None else found


def to_measure_on_if_any(place: Place, given: str | Path | None, how: HowToRead) -> ToMeasureOn | None:
    """The labelled data to measure on.

    1. The folder given, read as given.
    2. The test data of the workspace, else its validation data, read as ``data.yaml`` says.
    3. Its training data, if a subset of it is meant for testing or validation.

    Args:
        given: a folder, or None.
        how: what is given on how to read it; it is stronger than ``data.yaml``.

    Raises:
        UsageError: ``data.yaml`` cannot be understood.
        DataError: it names a folder or a file that is not there, or training data that looks like several formats.
    """
    if given is not None:
        return ToMeasureOn(Path(given), how)
    for part in _TESTED_ON:
        if getattr(place.data, part).named:
            root = place.path_in_data(part if place.names(part) else "train", "data_roots", "data to measure on")
            assert root is not None
            file = how.test_annotations or _annotations(place, part)
            return ToMeasureOn(root, _in_format(place, replace(how, test_annotations=file)))
    return _subset_of_training_data(place, how)


def _validated_on(place: Place, how: HowToRead) -> ToMeasureOn | None:
    """The images that the last training of a workspace took from its data to validate on."""
    if place.workspace is None or not place.names("train") or how.test_annotations is not None:
        return None
    root = place.workspace.path / str(place.data.train.data_roots)
    files, data_format = place.data.train.ann_files, how.data_format or place.data.data_format
    annotations = None if files is None else place.workspace.path / files
    found = last_training(place.outputs, root, HowToRead(data_format, annotations))
    if found is None:
        return None
    root, _, how = to_train_on(place, None, None, how)
    place.taken("images to measure on: those that the last training validated on", found.run.path)
    return ToMeasureOn(root, how, found)


def _subset_of_training_data(place: Place, how: HowToRead) -> ToMeasureOn | None:
    train = place.data.train
    if place.workspace is None or train.data_roots is None:
        return None
    if train.ann_files is not None or how.test_annotations is not None:
        return None  # what one file describes is not divided into subsets
    folder = place.workspace.path / train.data_roots
    named = how.data_format or place.data.data_format
    if not folder.is_dir() or (named is None and not looks_like(folder)):
        return None
    data_format = format_of(folder, named)
    subsets = find_subsets(folder, data_format)
    if not any(name in subsets for name in _TESTED_ON):
        return None
    root = place.taken("data to measure on", folder)
    return ToMeasureOn(root, replace(how, data_format=place.data_format(how.data_format) or data_format))


def to_look_through(place: Place, option: str, how: HowToRead) -> ToLookThrough:
    """All the labelled data that ``data.yaml`` names: what is trained on, validated on, and measured on.

    Args:
        option: what gives such data on the command line.
        how: what is given on how to read it; it is stronger than ``data.yaml``.

    Raises:
        UsageError: it names none, or none that a given file of annotations could describe, or cannot be understood.
        DataError: it names a folder or a file that is not there.
    """
    root = {part: place.root(None, part) for part in how.annotations}
    if not any(root.values()):
        return place.missing(option, "name the folder of the data")
    given = how.annotations
    if given["test"] is not None and root["test"] is None:
        measured = to_measure_on_if_any(place, None, how)
        root["test"] = None if measured is None else measured.root
    for part, file in given.items():
        if file is not None and root[part] is None and not (part == "val" and root["train"]):
            raise UsageError(f"--{part}-ann-files describes images in a folder: give {option} too")
    files = (file or _annotations(place, part) for part, file in given.items())
    in_full = _in_format(place, HowToRead(how.data_format, *files))
    return ToLookThrough(root["train"], root["val"], root["test"], in_full)


def images_to_run_on(place: Place, given: str | Path | None, option: str, what: str) -> Path:
    """Images to run a model on: those given, else those of the test or validation data.

    Args:
        option: what gives them on the command line.
        what: what else could be given.

    Raises:
        UsageError: there are none.
        DataError: the data that ``data.yaml`` names cannot be used.
    """
    if given is not None:
        return Path(given)
    found = to_measure_on_if_any(place, None, AS_IT_LOOKS) or _validated_on(place, AS_IT_LOOKS)
    if found is None:
        return place.missing(option, f"name {what}")
    samples = found.open().samples
    folders = {sample.images_folder for sample in samples}
    if len(folders) != 1:
        return place.missing(option, f"the images of {found.root} lie in several folders: name one of them")
    folder = Path(folders.pop())
    there = len(images_in(folder))
    if there > len(samples):
        logger.info("all %d images of %s are used, not only the %d to measure on", there, folder, len(samples))
    return folder


def _annotations(place: Place, part: str) -> Path | None:
    return place.path_in_data(part, "ann_files", f"annotations of the {part} data")


def _in_format(place: Place, how: HowToRead) -> HowToRead:
    """In the format asked for, else in that of ``data.yaml``, if it names one."""
    return replace(how, data_format=place.data_format(how.data_format))
