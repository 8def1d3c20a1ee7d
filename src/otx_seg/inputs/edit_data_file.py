"""The data given to `otx build`: merged with that of the workspace, and opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from otx_seg.datasets import DataSpec, check_format_name, find_training, open_test, open_unlabelled
from otx_seg.datasets.data_spec import PARTS
from otx_seg.datasets.label_map import OPTION as LABEL_MAP
from otx_seg.datasets.label_map import LabelMap
from otx_seg.errors import UsageError
from otx_seg.inputs.resolver import spec_of
from otx_seg.words import count
from otx_seg.workspace.data_file import Data, Labelled, Unlabelled, Validation
from otx_seg.workspace.workspace import Workspace


def merge(before: Data, given: DataSpec, workspace: Workspace) -> Data:
    """The new ``data.yaml``: the given values, and the old ones that still apply.

    A file of annotations belongs to its folder and goes with it, and so does a list of unlabelled images. Format and
    label map go with the last folder they were for.

    Raises:
        UsageError: a file is given that describes or lists images in a folder, without that; or an unknown format.
    """
    train = _part(before.train, given.train_root, given.train_annotations, workspace)
    was_val, added = before.val, before.added
    if train.data_roots != before.train.data_roots:
        added = {}  # it came to the images of that folder
    if was_val.data_roots is None and train.data_roots != before.train.data_roots:
        was_val = Validation()  # its images were in the training folder
    val = _part(was_val, given.val_root, given.val_annotations, workspace)
    named = was_val.images if val == was_val else None
    parts: dict[str, Any] = {
        "train": train,
        "val": Validation(data_roots=val.data_roots, ann_files=val.ann_files, images=named),
        "test": _part(before.test, given.test_root, given.test_annotations, workspace),
    }
    for name, part in parts.items():
        in_train = name == "val" and train.data_roots is not None
        if part.ann_files is not None and part.data_roots is None and not in_train:
            raise UsageError(f"--{name}-ann-files describes images in a folder: give --{name}-data-roots too")
    if given.data_format is not None:
        check_format_name(given.data_format)
    merged = Data(unlabeled=_unlabelled(before.unlabeled, given, workspace), added=added, **parts)
    was, now = _labelled_folders(before), _labelled_folders(merged)
    replaced = was and all(now.get(name) != folder for name, folder in was.items())
    kept = Data() if replaced else before
    label_map = kept.label_map if given.label_map is None else map_as_written(given.label_map, workspace)
    return merged.model_copy(update={"data_format": given.data_format or kept.data_format, "label_map": label_map})


def _part(before: Labelled, root: Path | None, annotations: Path | None, workspace: Workspace) -> Labelled:
    kept = before
    if root is not None and root.resolve() != _resolved(before.data_roots, workspace):
        kept = Labelled(data_roots=as_written(root, workspace))
    return kept if annotations is None else kept.model_copy(update={"ann_files": as_written(annotations, workspace)})


def _labelled_folders(data: Data) -> dict[str, str | None]:
    """The folder of each part of the labelled data that there is."""
    named = [name for name in PARTS if getattr(data, name).named]
    return {name: getattr(data, name).data_roots or data.train.data_roots for name in named}


def _unlabelled(before: Unlabelled, given: DataSpec, workspace: Workspace) -> Unlabelled:
    unlabelled = before
    if given.unlabelled_root is not None:  # a list belongs to its folder
        unlabelled = Unlabelled(data_roots=as_written(given.unlabelled_root, workspace))
    if given.unlabelled_list is not None:
        if unlabelled.data_roots is None:
            raise UsageError("--unlabeled-file-list names images in a folder: give --unlabeled-data-roots too")
        unlabelled = Unlabelled(
            data_roots=unlabelled.data_roots, file_list=as_written(given.unlabelled_list, workspace)
        )
    return unlabelled


def map_as_written(label_map: LabelMap, workspace: Workspace) -> str:
    """A label map as it stands in ``data.yaml``."""
    return label_map.source if label_map.is_shipped else as_written(Path(label_map.source), workspace)


def as_written(path: Path, workspace: Workspace) -> str:
    """A path as it stands in ``data.yaml``: one in the workspace moves with it."""
    real, folder = path.resolve(), workspace.path.resolve()
    return real.relative_to(folder).as_posix() if folder in real.parents else str(real)


def open_given(given: DataSpec, data: Data, workspace: Workspace, train_type: str) -> None:
    """Open the given files, so that unusable ones are found now.

    Args:
        data: all of the workspace's data, with what is given.

    Raises:
        UsageError: an annotation file or label map that the train type has no use for, or a file that the format does
            not take.
        DataError: the data cannot be used.
    """
    spec = spec_of(data, workspace)
    read_anew = given.data_format or given.label_map
    touched = {name: given.roots[name] or given.annotations[name] or read_anew for name in PARTS}
    if train_type == "Selfsupervised":
        _refuse_what_is_for_masks(given)
        if given.train_root is not None:
            open_unlabelled(given.train_root)
    elif touched["train"] or touched["val"]:
        if spec.train_root is not None:
            find_training(spec)
        elif spec.val_root is not None:
            open_test(replace(spec, test_root=spec.val_root, test_annotations=spec.val_annotations))
    if touched["test"] and spec.test_root is not None:
        open_test(spec)
    if given.unlabelled_root is not None or given.unlabelled_list is not None:
        assert spec.unlabelled_root is not None
        open_unlabelled(spec.unlabelled_root, given.unlabelled_list)


def _refuse_what_is_for_masks(given: DataSpec) -> None:
    other = "Selfsupervised training uses only images; leave it out, or give another --train-type"
    if given.label_map is not None:
        raise UsageError(f"{LABEL_MAP}: {other}")
    for name in ("train", "val"):
        if given.annotations[name] is not None:
            raise UsageError(f"--{name}-ann-files: {other}")


def _resolved(written: str | None, workspace: Workspace) -> Path | None:
    return None if written is None else (workspace.path / written).resolve()


def _number_of(names: list[str] | None) -> str:
    return "" if names is None else count(len(names), "image")


def differences(before: Data, now: Data) -> list[tuple[str, str, str]]:
    """Every entry of ``data.yaml`` with its old and its new value, "none" for nothing."""
    pairs: list[tuple[str, str | None, str | None]]
    pairs = [("data format", before.data_format, now.data_format), ("label map", before.label_map, now.label_map)]
    for name in (*PARTS, "unlabeled"):
        was, is_now = getattr(before, name), getattr(now, name)
        pairs.append((f"{name} data", was.data_roots, is_now.data_roots))
        if name in PARTS:
            pairs.append((f"{name} annotations", was.ann_files, is_now.ann_files))
        else:
            pairs.append((f"{name} list", was.file_list, is_now.file_list))
    pairs.append(("images to validate on", _number_of(before.val.images), _number_of(now.val.images)))
    pairs.append(("added data", ", ".join(before.added), ", ".join(now.added)))
    return [(what, was or "none", is_now or "none") for what, was, is_now in pairs]
