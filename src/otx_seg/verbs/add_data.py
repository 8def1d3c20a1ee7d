"""`otx build --add-data`: more labelled images for the trainings of a workspace."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import DataSpec
from otx_seg.datasets.check.twins import Twin, find_twins
from otx_seg.datasets.data_spec import FIRST, Addition
from otx_seg.datasets.label_map import LabelMap
from otx_seg.datasets.scan import Progress
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inputs.edit_data_file import as_written, map_as_written
from otx_seg.inputs.new_images import look
from otx_seg.inputs.resolver import data_of, spec_of
from otx_seg.template import load
from otx_seg.template.yaml_files import LONGEST_YAML
from otx_seg.verbs.build import replace_file
from otx_seg.words import count
from otx_seg.workspace.data_file import Added, Data, DataFile
from otx_seg.workspace.workspace import WORKSPACE, Workspace, find_workspace

OPTION = "--add-data"


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
       trained on already is left out if its mask is the same, or a prediction that nobody has corrected; else the new
       mask replaces the old one.
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
    seen = look(addition, spec, target.outputs, new_labels, progress)
    left_out, replaced = _sorted_out(find_twins(seen.new, seen.known), seen.uncorrected)
    usable = seen.new.report.images - len(left_out)
    if not usable:
        raise DataError(
            f"{folder}: nothing to add: the workspace has all {count(seen.new.report.images, 'image')} of it already, "
            "to train, validate or test on, and those to train on with the same masks"
            + (", or with masks that predictions nobody has corrected do not replace" if seen.uncorrected else "")
        )
    entry = _entry(addition, seen.recognised, target, left_out, replaced)
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
            raise UsageError(
                f"{addition.root}: is in the workspace already, as {part} in data.yaml; name new data. "
                "Masks that were corrected in it need no command: the next `otx train` reads them"
            )
        if old in new.parents or new in old.parents:
            how = "lies in" if old in new.parents else "holds"
            raise UsageError(
                f"{addition.root}: {how} {root}, which is in the workspace already, as {part} in data.yaml; put the "
                "new images into a folder of their own"
            )


def _sorted_out(twins: Sequence[Twin], uncorrected: Collection[str]) -> tuple[tuple[Twin, ...], tuple[Twin, ...]]:
    """One twin of each image that is left out, and all of those whose old mask is replaced.

    Args:
        uncorrected: names of the new images whose mask is a mere prediction.
    """
    stays = [twin for twin in twins if twin.use != "training" or twin.same_mask or twin.name in uncorrected]
    left_out = {twin.name: twin for twin in reversed(stays)}
    replaced = [twin for twin in twins if twin.name not in left_out]
    return tuple(sorted(left_out.values(), key=lambda twin: twin.name)), tuple(replaced)


# ---------------------------------------------------------------------- what is written


def _entry(
    addition: Addition,
    recognised: LabelMap | None,
    target: Workspace,
    left_out: Sequence[Twin],
    replaced: Sequence[Twin],
) -> Added:
    names: dict[str, list[str]] = {}
    for twin in left_out:
        names.setdefault(addition.name, []).append(twin.name)
    for twin in replaced:
        names.setdefault(twin.known, []).append(twin.known_name)
    file = addition.annotations
    label_map: str | dict[str, str] | None = None if recognised is None else dict(recognised.new_names)
    if addition.label_map is not None:
        label_map = map_as_written(addition.label_map, target)
    return Added(
        data_roots=as_written(addition.root, target),
        data_format=addition.data_format,
        ann_files=None if file is None else as_written(file, target),
        label_map=label_map,
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
