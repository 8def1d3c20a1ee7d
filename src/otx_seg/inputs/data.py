"""The labelled data of a command: as given, else as in a workspace's ``data.yaml``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec, find_subsets, format_of, looks_like
from otx_seg.datasets.data_spec import PARTS
from otx_seg.errors import UsageError
from otx_seg.inputs.last_training import last_training, open_measured, training_of
from otx_seg.inputs.resolver import Resolver, spec_of
from otx_seg.runtime.image_files import images_in
from otx_seg.training.recorded_data import read_recorded
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

_TESTED_ON = ("test", "val")


def training_spec(resolver: Resolver, given: DataSpec) -> DataSpec:
    """The labelled data for training and validation.

    A file of annotations in ``data.yaml`` is for the folder there, not for one that is given. Format and label map
    there are for both folders, as soon as one of them is from there.

    Args:
        given: stronger than ``data.yaml``.

    Raises:
        UsageError: no training data is named anywhere, or ``data.yaml`` cannot be understood.
        DataError: it names a folder or a file that is missing.
    """
    of_train = given.train_root is None
    # Without a folder of its own, what is validated on lies in the training folder.
    of_val = given.val_root is None and (of_train or resolver.names("val"))
    found = replace(
        given,
        train_root=resolver.train_root(given.train_root),
        val_root=resolver.root(given.val_root, "val"),
        train_annotations=given.train_annotations or (_annotations(resolver, "train") if of_train else None),
        val_annotations=given.val_annotations or (_annotations(resolver, "val") if of_val else None),
        val_names=tuple(resolver.data.val.images or ()) if of_train and given.val_root is None else (),
        added=resolver.additions() if of_train else (),
    )
    return _read_as_said(resolver, found) if of_train or of_val else found


def evaluation_spec(
    resolver: Resolver, given: DataSpec, weights: Sequence[Path] = ()
) -> tuple[DataSpec, RunFolder | None]:
    """As `evaluation_spec_if_any`, else the training data, and the training that took images to validate on from it:
    that of the weights, else the last one; see `open_measured`.

    Args:
        weights: what is evaluated, if it is named.

    Raises:
        UsageError: there are none, or the weights are of trainings that validated on different images.
    """
    hint = "name the folder of labelled images to evaluate on"
    return _evaluation_spec(resolver, given, weights) or resolver.missing("--test-data-roots", hint)


def _evaluation_spec(
    resolver: Resolver, given: DataSpec, weights: Sequence[Path] = ()
) -> tuple[DataSpec, RunFolder | None] | None:
    found = evaluation_spec_if_any(resolver, given)
    if found is not None:
        return found, None
    return _of_weights(given, weights) or _validation_spec(resolver, given)


def evaluation_spec_if_any(resolver: Resolver, given: DataSpec) -> DataSpec | None:
    """The labelled data to evaluate on.

    1. The folder given, read as given.
    2. The test data of the workspace, else its validation data, read as ``data.yaml`` says.
    3. Its training data, if a subset of it is meant for testing or validation.

    Args:
        given: stronger than ``data.yaml``.

    Raises:
        UsageError: ``data.yaml`` cannot be understood.
        DataError: it names a folder or a file that is missing, or training data that looks like several formats.
    """
    if given.test_root is not None:
        return given
    for part in _TESTED_ON:
        if getattr(resolver.data, part).named:
            root = resolver.path_in_data(part if resolver.names(part) else "train", "data_roots", "data to evaluate on")
            assert root is not None
            file = given.test_annotations or _annotations(resolver, part)
            return _read_as_said(resolver, replace(given, test_root=root, test_annotations=file))
    return _subset_of_training_data(resolver, given)


def _of_weights(given: DataSpec, weights: Sequence[Path]) -> tuple[DataSpec, RunFolder] | None:
    """The images that the training of these weights took from its own to validate on."""
    trainings = [found for found in map(training_of, weights) if found is not None]
    if not trainings or given.test_annotations is not None:
        return None
    first, *others = (read_recorded(training.run) for training in trainings)
    if any(other.val != first.val for other in others):
        raise UsageError(
            "--test-data-roots is missing: each of these models validated on other images, which the others were "
            "trained on; name images that none of them has seen"
        )
    run = trainings[0].run
    logger.info("images to evaluate on: those that %s validated on", run.path)
    return given.or_else(first.data), run


def _validation_spec(resolver: Resolver, given: DataSpec) -> tuple[DataSpec, RunFolder] | None:
    """The images that the last training of a workspace took from its data to validate on."""
    if resolver.workspace is None or not resolver.names("train") or given.test_annotations is not None:
        return None
    found = last_training(resolver.outputs, given.or_else(spec_of(resolver.data, resolver.workspace)))
    if found is None:
        return None
    resolver.taken("images to evaluate on: those that the last training validated on", found.run.path)
    spec = training_spec(resolver, given)
    return replace(spec, label_map=spec.label_map or found.label_map), found.run


def _subset_of_training_data(resolver: Resolver, given: DataSpec) -> DataSpec | None:
    train = resolver.data.train
    if resolver.workspace is None or train.data_roots is None:
        return None
    if train.ann_files is not None or given.test_annotations is not None:
        return None  # what one file describes is not divided into subsets
    folder = resolver.workspace.path / train.data_roots
    named = given.data_format or resolver.data.data_format
    if not folder.is_dir() or (named is None and not looks_like(folder)):
        return None
    data_format = format_of(folder, named)
    subsets = find_subsets(folder, data_format)
    if not any(name in subsets for name in _TESTED_ON):
        return None
    resolver.taken("data to evaluate on", folder)
    found = _read_as_said(resolver, replace(given, test_root=folder))
    return replace(found, data_format=found.data_format or data_format)


def check_spec(resolver: Resolver, option: str, given: DataSpec) -> DataSpec:
    """All labelled data of ``data.yaml``: for training, validation and test.

    Args:
        option: what gives such data on the command line.
        given: how to read it; stronger than ``data.yaml``.

    Raises:
        UsageError: it names none, or none that a given file of annotations could describe, or cannot be understood.
        DataError: it names a folder or a file that is missing.
    """
    root = {part: resolver.root(None, part) for part in PARTS}
    if not any(root.values()):
        return resolver.missing(option, "name the data folder")
    if given.test_annotations is not None and root["test"] is None:
        measured = evaluation_spec_if_any(resolver, given)
        root["test"] = None if measured is None else measured.test_root
    for part, file in given.annotations.items():
        if file is not None and root[part] is None and not (part == "val" and root["train"]):
            raise UsageError(f"--{part}-ann-files describes images in a folder: give {option} too")
    named: dict[str, Any] = {f"{part}_root": path for part, path in root.items()}
    for part, file in given.annotations.items():
        named[f"{part}_annotations"] = file or _annotations(resolver, part)
    named["added"] = resolver.additions()
    return _read_as_said(resolver, replace(given, **named))


def prediction_images(resolver: Resolver, option: str, what: str) -> Path:
    """Images to run a model on where none are given: those of the test or validation data.

    Args:
        option: what gives them on the command line.
        what: what else could be given.

    Raises:
        UsageError: there are none.
        DataError: the data that ``data.yaml`` names cannot be used.
    """
    spec, training = _evaluation_spec(resolver, DataSpec()) or resolver.missing(option, f"name {what}")
    samples = open_measured(spec, training).samples
    folders = {sample.images_folder for sample in samples}
    if len(folders) != 1:
        root = spec.test_root or spec.train_root
        return resolver.missing(option, f"the images of {root} lie in several folders: name one of them")
    folder = Path(folders.pop())
    there = len(images_in(folder))
    if there > len(samples):
        logger.info("all %d images of %s are used, not only the %d to evaluate on", there, folder, len(samples))
    return folder


def _annotations(resolver: Resolver, part: str) -> Path | None:
    return resolver.path_in_data(part, "ann_files", f"annotations of the {part} data")


def _read_as_said(resolver: Resolver, spec: DataSpec) -> DataSpec:
    """With the given format and label map, else with those of ``data.yaml``, if any."""
    data_format, label_map = resolver.data_format(spec.data_format), resolver.label_map(spec.label_map)
    return replace(spec, data_format=data_format, label_map=label_map)
