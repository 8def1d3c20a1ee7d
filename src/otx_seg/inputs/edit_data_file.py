"""The data given to `otx build`: put together with that of the workspace, and opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import HowToRead, check_format_name, find_training, open_test, open_unlabelled
from otx_seg.errors import UsageError
from otx_seg.workspace.data_file import Data, Labelled, Unlabelled
from otx_seg.workspace.workspace import Workspace

_LABELLED = ("train", "val", "test")


@dataclass(frozen=True)
class GivenData:
    """The folders and files given to `build`, and how to read them; None: not given."""

    how: HowToRead
    train: Path | None
    val: Path | None
    test: Path | None
    unlabelled: Path | None
    unlabelled_list: Path | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders among them."""
        return tuple(root for root in (self.train, self.val, self.test, self.unlabelled) if root is not None)

    @property
    def annotations(self) -> dict[str, Path | None]:
        """The file of annotations of each part of the labelled data."""
        return self.how.annotations


def merge(before: Data, given: GivenData, place: Workspace) -> Data:
    """What ``data.yaml`` is to say: what is given, and of what was there, what still holds.

    A file of annotations belongs to its folder and goes with it, and so does a list of unlabelled images. The format
    goes with the last folder it was for.

    Raises:
        UsageError: a file is given that describes or lists images in a folder, without that; or an unknown format.
    """
    train = _part(before.train, given.train, given.how.train_annotations, place)
    was_val = before.val
    if was_val.data_roots is None and train.data_roots != before.train.data_roots:
        was_val = Labelled()  # its images were in the training folder
    parts = {
        "train": train,
        "val": _part(was_val, given.val, given.how.val_annotations, place),
        "test": _part(before.test, given.test, given.how.test_annotations, place),
    }
    for name, part in parts.items():
        in_train = name == "val" and train.data_roots is not None
        if part.ann_files is not None and part.data_roots is None and not in_train:
            raise UsageError(f"--{name}-ann-files describes images in a folder: give --{name}-data-roots too")
    if given.how.data_format is not None:
        check_format_name(given.how.data_format)
    merged = Data(data_format=before.data_format, unlabeled=_unlabelled(before.unlabeled, given, place), **parts)
    if given.how.data_format is not None:
        return merged.model_copy(update={"data_format": given.how.data_format})
    was, now = _labelled_folders(before), _labelled_folders(merged)
    replaced = was and all(now.get(name) != folder for name, folder in was.items())
    return merged.model_copy(update={"data_format": None}) if replaced else merged


def _part(before: Labelled, root: Path | None, annotations: Path | None, place: Workspace) -> Labelled:
    kept = before
    if root is not None and root.resolve() != _resolved(before.data_roots, place):
        kept = Labelled(data_roots=_written(root, place))
    return kept if annotations is None else kept.model_copy(update={"ann_files": _written(annotations, place)})


def _labelled_folders(data: Data) -> dict[str, str | None]:
    """The folder of each part of the labelled data that there is."""
    named = [name for name in _LABELLED if getattr(data, name).named]
    return {name: getattr(data, name).data_roots or data.train.data_roots for name in named}


def _unlabelled(before: Unlabelled, given: GivenData, place: Workspace) -> Unlabelled:
    unlabelled = before
    if given.unlabelled is not None:  # a list belongs to its folder
        unlabelled = Unlabelled(data_roots=_written(given.unlabelled, place))
    if given.unlabelled_list is not None:
        if unlabelled.data_roots is None:
            raise UsageError("--unlabeled-file-list names images in a folder: give --unlabeled-data-roots too")
        unlabelled = Unlabelled(data_roots=unlabelled.data_roots, file_list=_written(given.unlabelled_list, place))
    return unlabelled


def _written(path: Path, place: Workspace) -> str:
    """A path as it stands in ``data.yaml``: one in the workspace moves with it."""
    real, folder = path.resolve(), place.path.resolve()
    return real.relative_to(folder).as_posix() if folder in real.parents else str(real)


def open_what_is_given(given: GivenData, data: Data, place: Workspace, train_type: str) -> None:
    """Look at the files that are given, so that what cannot be used shows now.

    Args:
        data: all of the workspace's data, with what is given.

    Raises:
        UsageError: a file of annotations that the train type has no use for, or that the format does not take.
        DataError: the data cannot be used.
    """
    how = _how(data, place)
    train, val, test = (_path(getattr(data, name).data_roots, place) for name in _LABELLED)
    touched = {name: getattr(given, name) or given.annotations[name] or given.how.data_format for name in _LABELLED}
    if train_type == "Selfsupervised":
        _refuse_annotations(given)
        if given.train is not None:
            open_unlabelled(given.train)
    elif touched["train"] or touched["val"]:
        if train is not None:
            find_training(train, val, how=how)
        elif val is not None:
            open_test(val, how=HowToRead(how.data_format, test_annotations=how.val_annotations))
    if touched["test"] and test is not None:
        open_test(test, how=how)
    if given.unlabelled is not None or given.unlabelled_list is not None:
        assert data.unlabeled.data_roots is not None
        open_unlabelled(place.path / data.unlabeled.data_roots, given.unlabelled_list)


def _refuse_annotations(given: GivenData) -> None:
    for name in ("train", "val"):
        if given.annotations[name] is not None:
            raise UsageError(
                f"--{name}-ann-files: Selfsupervised training looks at images alone; leave it out, or give another "
                "--train-type"
            )


def _how(data: Data, place: Workspace) -> HowToRead:
    return HowToRead(data.data_format, *(_path(getattr(data, name).ann_files, place) for name in _LABELLED))


def _path(written: str | None, place: Workspace) -> Path | None:
    return None if written is None else place.path / written


def _resolved(written: str | None, place: Workspace) -> Path | None:
    return None if written is None else (place.path / written).resolve()


def differences(before: Data, now: Data) -> list[tuple[str, str, str]]:
    """Everything that ``data.yaml`` can say: what it is, what it was, and what it is now, "none" for nothing."""
    pairs = [("data format", before.data_format, now.data_format)]
    for name in (*_LABELLED, "unlabeled"):
        was, is_now = getattr(before, name), getattr(now, name)
        pairs.append((f"{name} data", was.data_roots, is_now.data_roots))
        if name in _LABELLED:
            pairs.append((f"{name} annotations", was.ann_files, is_now.ann_files))
        else:
            pairs.append((f"{name} list", was.file_list, is_now.file_list))
    return [(what, was or "none", is_now or "none") for what, was, is_now in pairs]
