"""`otx build --add-data`: more labelled images for the trainings of a workspace."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from otx_seg.annotations.samples import Subset
from otx_seg.catalogue import nearest
from otx_seg.datasets import DEFAULT_SEED, DataSpec, find_training, open_test, readable_samples, split_training
from otx_seg.datasets.check.findings import find_problems
from otx_seg.datasets.check.inspection import Inspection, inspect
from otx_seg.datasets.check.problems import Problem
from otx_seg.datasets.check.twins import Known, Twin, find_twins
from otx_seg.datasets.data_spec import FIRST, Addition
from otx_seg.datasets.joined import open_addition, training_parts, union
from otx_seg.datasets.label_map import OPTION as LABEL_MAP
from otx_seg.datasets.opening import find_subsets
from otx_seg.datasets.scan import Progress, counter
from otx_seg.datasets.split import TrainingData, Use
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inputs.edit_data_file import as_written, map_as_written
from otx_seg.inputs.last_training import last_training
from otx_seg.inputs.resolver import data_of, spec_of
from otx_seg.labels import Labels
from otx_seg.runtime.plain_files import shown
from otx_seg.template import load
from otx_seg.template.yaml_files import LONGEST_YAML
from otx_seg.training.recorded_data import read_recorded
from otx_seg.verbs.build import replace_file
from otx_seg.words import count, listed
from otx_seg.workspace.data_file import Added, Data, DataFile
from otx_seg.workspace.workspace import WORKSPACE, Workspace, find_workspace

logger = logging.getLogger(__name__)

OPTION = "--add-data"
NEW_LABELS = "--new-labels"


@dataclass(frozen=True)
class AddedData:
    """The outcome of `add_data`.

    Attributes:
        name: what the new images are called in ``data.yaml``.
        new: images that the workspace had not.
        replaced: images whose new mask replaces the one that the workspace had.
        left_out: images that are not used, since the workspace has them.
        new_labels: labels that the workspace had not, each with the number of the images that show it.
        trained_on: images to train on, before and now.
        validated_on: images to validate on, the same as before.
        kept: the copy of an edited ``data.yaml``.
    """

    workspace: Workspace
    name: str
    new: int
    replaced: tuple[Twin, ...]
    left_out: tuple[Twin, ...]
    new_labels: dict[str, int]
    trained_on: tuple[int, int]
    validated_on: int
    kept: tuple[Path, ...] = ()


def add_data(
    folder: str | Path,
    *,
    train_ann_files: str | Path | None = None,
    data_format: str | None = None,
    label_map: str | Path | None = None,
    new_labels: bool = False,
    workspace: str | Path | None = None,
    progress: Progress | None = None,
) -> AddedData:
    """Add labelled images to those that a workspace trains on. The images it validates on stay the same.

    1. All images are read. What `check` calls an error is refused.
    2. An image with the pixels of one that is validated or tested on is left out, whatever its mask. One that is
       trained on already is left out if its mask is the same; else the new mask replaces the old one.
    3. ``data.yaml`` is written at once, at the end: an interruption leaves it as it was.

    Args:
        folder: the images, in any format; of several subsets, that to train on.
        train_ann_files, data_format, label_map: how to read it, see `train`; that of the workspace does not count.
        new_labels: accept labels that the workspace lacks.
        workspace: see `build`.
        progress: called with what is being done, and the numbers of images done and to do.

    Raises:
        UsageError: there is no workspace, or it does not train on masks, or has this folder.
        DataError: the images cannot be used, have labels that the workspace lacks, or are all there.
        OtxError: ``data.yaml`` was changed meanwhile.
    """
    target = _find(workspace)
    before = data_of(target)
    spec = _trained_on(target, before)
    given = DataSpec.given(data_format, label_map, train_root=folder, train_annotations=train_ann_files)
    assert given.train_root is not None
    named = _free_name(given.train_root, before)
    addition = Addition(named, given.train_root, data_format, given.train_annotations, given.label_map)
    _refuse_known_folder(addition, spec)
    seen = _look(addition, spec, target, new_labels, progress)
    left_out, replaced = _sorted_out(find_twins(seen.new, seen.known))
    usable = seen.new.report.images - len(left_out)
    if not usable:
        raise DataError(
            f"{folder}: nothing to add: the workspace has all {count(seen.new.report.images, 'image')} of it already, "
            "to train, validate or test on, and those to train on with the same masks"
        )
    entry = _entry(addition, target, left_out, replaced)
    validation = before.val.model_copy(update={"images": list(seen.validated) or None})
    now = before.model_copy(update={"val": validation, "added": {**before.added, named: entry}})
    kept = _write(target, before, now)
    gone = len({(twin.known, twin.known_name) for twin in replaced})
    return AddedData(
        target,
        named,
        new=usable - len({twin.name for twin in replaced}),
        replaced=replaced,
        left_out=left_out,
        new_labels=seen.new_labels,
        trained_on=(seen.trained_on, seen.trained_on - gone + usable),
        validated_on=seen.validated_on,
        kept=kept,
    )


# ---------------------------------------------------------------------- what is asked for


def _find(workspace: str | Path | None) -> Workspace:
    """The given workspace, else the current folder, else that below it.

    Raises:
        UsageError: there is none.
    """
    found = find_workspace(workspace) or Workspace(WORKSPACE)
    if found.missing:
        raise UsageError(
            f"{OPTION}: there is no workspace here to add data to; make one with `otx build --train-data-roots "
            "FOLDER`, or name it with --workspace"
        )
    return found


def _trained_on(target: Workspace, data: Data) -> DataSpec:
    """The data of the workspace.

    Raises:
        UsageError: it has no masks to train on.
    """
    if data.train.data_roots is None:
        raise UsageError(f"{target.data}: names no training data to add to; give it with --train-data-roots instead")
    if load(target.template).hyper_parameters.algo_backend.train_type == "Selfsupervised":
        raise UsageError(
            f"{OPTION} adds images with masks, and this workspace trains on images alone; make another one for them"
        )
    return spec_of(data, target)


def _free_name(folder: Path, data: Data) -> str:
    """The name of the folder, with a number behind it if there is one of this name already."""
    plain = folder.resolve().name or "data"
    names = (plain if number == 1 else f"{plain}-{number}" for number in itertools.count(1))
    return next(name for name in names if name not in data.added and name != FIRST)


def _refuse_known_folder(addition: Addition, spec: DataSpec) -> None:
    """
    Raises:
        UsageError: the workspace has the images of this folder already, or it holds or lies in one of those it has.
    """
    new, file = addition.root.resolve(), addition.annotations
    have = [(part, root, spec.annotations[part]) for part, root in spec.roots.items() if root is not None]
    have += [(f"added.{one.name}", one.root, one.annotations) for one in spec.added]
    for part, root, described in have:
        old = root.resolve()
        if new == old and (file and file.resolve()) != (described and described.resolve()):
            continue  # each file describes images of its own in the folder
        if new == old:
            raise UsageError(f"{addition.root}: is in the workspace already, as {part} in data.yaml; name new data")
        if old in new.parents or new in old.parents:
            how = "lies in" if old in new.parents else "holds"
            raise UsageError(
                f"{addition.root}: {how} {root}, which is in the workspace already, as {part} in data.yaml; put the "
                "new images into a folder of their own"
            )


# ---------------------------------------------------------------------- what there is


@dataclass(frozen=True)
class _Looked:
    """All images, with their labels numbered alike.

    Attributes:
        new: those to add.
        known: those of the workspace.
        validated: names of the training images to validate on; none where others are.
        trained_on, validated_on: how many of the workspace there are.
        new_labels: see `AddedData`.
    """

    new: Inspection
    known: tuple[Known, ...]
    validated: tuple[str, ...]
    trained_on: int
    validated_on: int
    new_labels: dict[str, int]


def _look(
    addition: Addition, spec: DataSpec, target: Workspace, new_labels: bool, progress: Progress | None
) -> _Looked:
    """Read all images.

    Raises:
        UsageError, DataError: those of the workspace, or those to add, cannot be used, or have labels that the
            workspace lacks, unless these are accepted.
    """
    batch = open_addition(addition)
    there = find_training(replace(spec, added=(), val_names=()))
    parts = training_parts(there.train, spec.added)
    before = union(list(parts.values()))
    if not new_labels:
        _refuse_new_labels(batch, before, spec)
    if lacking := [name for name in before.names if name not in batch.labels.names]:
        told = "%s: its labels lack %s; where its images show that, they teach that it is something else"
        logger.warning(told, batch.root, listed(lacking, 5))
    labels = union([*parts.values(), batch])
    new = _inspected(addition.name, batch.with_labels(labels), progress)
    _tell_faults(find_problems([(new, "test")], None), addition)
    seen = {name: _inspected(name, subset.with_labels(labels), progress) for name, subset in parts.items()}
    validated = () if there.val is not None else _validated_on(target, spec, there, seen[FIRST])
    known = [Known(name, "training", one, validated if name == FIRST else ()) for name, one in seen.items()]
    for use, subset in _not_trained_on(spec, there):
        alike = subset.with_labels(labels) if set(subset.labels.names) <= set(labels.names) else subset
        known.append(Known(use, use, _inspected(use, alike, progress)))
    shown = zip(labels.names, new.report.images_per_label, strict=True)
    return _Looked(
        new,
        tuple(known),
        validated,
        sum(one.report.images for one in seen.values()) - len(validated),
        len(validated) if there.val is None else len(there.val),
        {name: images for name, images in shown if name not in before.names},
    )


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


def _validated_on(target: Workspace, spec: DataSpec, there: TrainingData, first: Inspection) -> tuple[str, ...]:
    """The names of the training images to validate on: those of data.yaml, else of the last training, else those that
    a training would choose."""
    if spec.val_names:
        return spec.val_names
    last = last_training(target.outputs, spec)
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


# ---------------------------------------------------------------------- what is refused


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


def _sorted_out(twins: Sequence[Twin]) -> tuple[tuple[Twin, ...], tuple[Twin, ...]]:
    """One twin of each image that is left out, and all of those whose old mask is replaced."""
    left_out = {twin.name: twin for twin in reversed(twins) if twin.use != "training" or twin.same_mask}
    replaced = [twin for twin in twins if twin.name not in left_out]
    return tuple(sorted(left_out.values(), key=lambda twin: twin.name)), tuple(replaced)


# ---------------------------------------------------------------------- what is written


def _entry(addition: Addition, target: Workspace, left_out: Sequence[Twin], replaced: Sequence[Twin]) -> Added:
    names: dict[str, list[str]] = {}
    for twin in left_out:
        names.setdefault(addition.name, []).append(twin.name)
    for twin in replaced:
        names.setdefault(twin.known, []).append(twin.known_name)
    file, label_map = addition.annotations, addition.label_map
    return Added(
        data_roots=as_written(addition.root, target),
        data_format=addition.data_format,
        ann_files=None if file is None else as_written(file, target),
        label_map=None if label_map is None else map_as_written(label_map, target),
        left_out={name: list(dict.fromkeys(images)) for name, images in names.items()},
    )


def _write(target: Workspace, before: Data, now: Data) -> tuple[Path, ...]:
    """Write data.yaml; gives the copy of an edited one.

    Raises:
        DataError: it would be too large.
        OtxError: it was changed since it was read.
    """
    text = DataFile(data=now).as_yaml()
    if len(text.encode()) > LONGEST_YAML:
        raise DataError(
            f"{target.data}: would name too many images that are there twice; leave them out of the new folder"
        )
    if data_of(target) != before:
        raise OtxError(f"{target.data}: was changed while the new images were read; give the same command again")
    return tuple(replace_file(target.data, text, DataFile(data=before).as_yaml()))
