"""Labelled images that are to be added to a workspace, and those it has: all of them are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.annotations.predicted import uncorrected
from otx_seg.annotations.samples import Subset
from otx_seg.annotations.values_found import named_elsewhere
from otx_seg.catalogue import nearest
from otx_seg.datasets import DEFAULT_SEED, DataSpec, find_training, open_test, readable_samples, split_training
from otx_seg.datasets.check.findings import find_problems
from otx_seg.datasets.check.inspection import Inspection, inspect
from otx_seg.datasets.check.problems import Problem
from otx_seg.datasets.check.twins import Known
from otx_seg.datasets.data_spec import FIRST, Addition
from otx_seg.datasets.joined import open_with_rest, training_parts, union
from otx_seg.datasets.known_values import known_values
from otx_seg.datasets.label_map import OPTION as LABEL_MAP
from otx_seg.datasets.label_map import LabelMap, through_map
from otx_seg.datasets.opening import find_subsets
from otx_seg.datasets.scan import Progress, counter
from otx_seg.datasets.split import TrainingData, Use
from otx_seg.errors import DataError
from otx_seg.inputs.last_training import last_training
from otx_seg.labels import Labels
from otx_seg.runtime.plain_files import shown
from otx_seg.training.recorded_data import read_recorded
from otx_seg.words import listed

logger = logging.getLogger(__name__)

NEW_LABELS = "--new-labels"


@dataclass(frozen=True)
class Looked:
    """All images, with their labels numbered alike.

    Attributes:
        recognised: the label map of masks without a list of labels, whose values the workspace knows.
        uncorrected: names of the new images whose mask is a prediction that nobody has corrected.
        new: those to add.
        known: those of the workspace.
        validated: names of the training images to validate on; none where others are.
        trained_on, validated_on: how many of the workspace there are.
        new_labels: labels that the workspace lacks, each with the number of the new images that show it.
    """

    recognised: LabelMap | None
    uncorrected: frozenset[str]
    new: Inspection
    known: tuple[Known, ...]
    validated: tuple[str, ...]
    trained_on: int
    validated_on: int
    new_labels: dict[str, int]


def look(addition: Addition, spec: DataSpec, outputs: Path, new_labels: bool, progress: Progress | None) -> Looked:
    """Read all images.

    Args:
        addition: what is to be added.
        spec: the data of the workspace.
        outputs: its folder of runs.
        new_labels: whether labels that it lacks are accepted.

    Raises:
        UsageError, DataError: those of the workspace, or those to add, cannot be used, or have labels that the
            workspace lacks, unless these are accepted.
    """
    with named_elsewhere():
        batch, unused = open_with_rest(addition)
    if unused:
        told = "%s: images to train on are added, those of %s are not; to validate or test on them, name their folder"
        logger.warning(told, addition.root, listed(unused))
    there = find_training(replace(spec, added=(), val_names=()))
    parts = training_parts(there.train, spec.added)
    before = union(list(parts.values()))
    recognised = None
    if addition.label_map is None:
        recognised = _recognised(batch, before, list(parts.values()), spec, new_labels)
        batch = through_map(batch, recognised)
    if not new_labels:
        _refuse_new_labels(batch, before, spec)
    if lacking := [name for name in before.names if name not in batch.labels.names]:
        told = "%s: its labels lack %s; where its images show that, they teach that it is something else"
        logger.warning(told, batch.root, listed(lacking, 5))
    labels = union([*parts.values(), batch])
    new = _inspected(addition.name, batch.with_labels(labels), progress)
    _tell_faults(find_problems([(new, "test")], None), addition)
    seen = {name: _inspected(name, subset.with_labels(labels), progress) for name, subset in parts.items()}
    validated = () if there.val is not None else _validated_on(outputs, spec, there, seen[FIRST])
    known = [Known(name, "training", one, validated if name == FIRST else ()) for name, one in seen.items()]
    for use, subset in _not_trained_on(spec, there):
        alike = subset.with_labels(labels) if set(subset.labels.names) <= set(labels.names) else subset
        known.append(Known(use, use, _inspected(use, alike, progress)))
    shown = zip(labels.names, new.report.images_per_label, strict=True)
    return Looked(
        recognised,
        frozenset(sample.name for sample in uncorrected(batch.samples)),
        new,
        tuple(known),
        validated,
        sum(one.report.images for one in seen.values()) - len(validated),
        len(validated) if there.val is None else len(there.val),
        {name: images for name, images in shown if name not in before.names},
    )


def _recognised(
    batch: Subset, before: Labels, known: Sequence[Subset], spec: DataSpec, new_labels: bool
) -> LabelMap | None:
    """See `known_values`; None also where all labels are known by their names."""
    if set(batch.labels.names) <= set(before.names):
        return None
    root = spec.train_root if spec.label_map is None else None
    return known_values(batch, known, None if new_labels else NEW_LABELS, root)


def _inspected(name: str, subset: Subset, progress: Progress | None) -> Inspection:
    return inspect(name, name, subset, counter(f"checking the images of {name}", len(subset), progress))


def _not_trained_on(spec: DataSpec, there: TrainingData) -> Iterator[tuple[Use, Subset]]:
    """The images to validate and to test on that are not among those to train on."""
    assert spec.train_root is not None
    if there.val is not None:
        yield "validation", there.val
    if spec.test_root is not None:
        yield "test", open_test(spec)
    elif spec.train_annotations is None:
        subsets = find_subsets(spec.train_root, spec.data_format, label_map=spec.label_map, some_labels=True)
        if "test" in subsets:
            yield "test", subsets["test"]()


def _validated_on(outputs: Path, spec: DataSpec, there: TrainingData, first: Inspection) -> tuple[str, ...]:
    """The names of the training images to validate on: those of data.yaml, else of the last training, else those that
    a training would choose."""
    if spec.val_names:
        return spec.val_names
    last = last_training(outputs, spec)
    if last is not None and last.fold is None:
        names = read_recorded(last.run).val
        if set(names) <= {sample.name for sample in there.train.samples}:
            return names
        logger.warning("%s: some of the images that it validated on are gone; others are chosen", last.run.path)
    assert spec.train_root is not None
    usable = replace(there, train=readable_samples(there.train, first.report))
    data, _, _ = split_training(usable, first.report, spec.train_root, DEFAULT_SEED)
    assert data.val is not None
    return tuple(sample.name for sample in data.val.samples)


def _refuse_new_labels(batch: Subset, known: Labels, spec: DataSpec) -> None:
    """
    Raises:
        DataError: the images have labels that the workspace lacks.
    """
    unknown = [name for name in batch.labels.names if name not in known.names]
    if not unknown:
        return
    hint = nearest(unknown[0], list(known.names))
    through = "" if spec.label_map is None else f" (that of the workspace is {spec.label_map.source})"
    raise DataError(
        f"{batch.root}: has labels that the workspace lacks: {listed([shown(name) for name in unknown], 5)} ({hint}); "
        f"rename them with a {LABEL_MAP}{through}, or accept them with {NEW_LABELS}"
    )


def _tell_faults(problems: Sequence[Problem], addition: Addition) -> None:
    """Say what is wrong with the new images.

    Raises:
        DataError: they cannot be used.
    """
    for problem in problems:
        first = f", the first: {problem.files[0].path} ({problem.files[0].note})" if problem.files else ""
        if problem.severity == "error":
            raise DataError(
                f"{addition.root}: {problem.what}{first}; {problem.advice}. `otx check --data-roots {addition.root}` "
                "lists all"
            )
        if problem.severity == "warning":
            logger.warning("%s: %s%s; %s", addition.root, problem.what, first, problem.advice)
