"""Where the data of a command is, and how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from otx_seg.datasets.label_map import LabelMap, read_label_map

PARTS = ("train", "val", "test")
"""The parts of the labelled data."""

FIRST = "train"
"""What `Addition.left_out` calls the training data that all additions came to."""


@dataclass(frozen=True)
class Addition:
    """Labelled images that came to the training data later.

    Attributes:
        name: what it is called, unlike all others.
        root, data_format, annotations, label_map: where it is and how to read it, as in `DataSpec`.
        left_out: names of the images that are not trained on since: its own under its name, those of the first training
            data under `FIRST`, and those of earlier additions under theirs.
    """

    name: str
    root: Path
    data_format: str | None = None
    annotations: Path | None = None
    label_map: LabelMap | None = None
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Addition:
        """What `as_plain` has given."""
        label_map, annotations = plain.get("label_map"), plain.get("annotations")
        return cls(
            plain["name"],
            Path(plain["root"]),
            plain.get("data_format"),
            None if annotations is None else Path(annotations),
            None if label_map is None else LabelMap.from_plain(label_map),
            {name: tuple(images) for name, images in plain.get("left_out", {}).items()},
        )

    def resolved(self) -> Addition:
        """The same with absolute paths."""
        file = self.annotations
        return replace(self, root=self.root.resolve(), annotations=None if file is None else file.resolve())

    def as_plain(self) -> dict[str, Any]:
        """Texts, lists and the content of the label map, for a file."""
        return {
            "name": self.name,
            "root": str(self.root),
            "data_format": self.data_format,
            "annotations": None if self.annotations is None else str(self.annotations),
            "label_map": None if self.label_map is None else self.label_map.as_plain(),
            "left_out": {name: list(images) for name, images in self.left_out.items()},
        }


@dataclass(frozen=True)
class DataSpec:
    """All the data of a command. None: not given, or there is none.

    Attributes:
        train_root: images to train on, with masks unless the training is self-supervised.
        val_root: labelled images to validate on; None: those of `train_root` that `val_annotations` describes, else
            those of `train_root` that `val_names` names, else part of `train_root`.
        test_root: labelled images to measure on.
        unlabelled_root: images without masks.
        unlabelled_list: file that names those to use; None: all.
        data_format: name of the format of the labelled data; None: what it looks like.
        train_annotations, val_annotations, test_annotations: files of annotations to use for these data instead of
            those in their folders.
        label_map: what the labels of the labelled data become; None: they stay as they are.
        val_names: names of the images in `train_root` to validate on.
        added: labelled images to train on beside those in `train_root`.
    """

    train_root: Path | None = None
    val_root: Path | None = None
    test_root: Path | None = None
    unlabelled_root: Path | None = None
    unlabelled_list: Path | None = None
    data_format: str | None = None
    train_annotations: Path | None = None
    val_annotations: Path | None = None
    test_annotations: Path | None = None
    label_map: LabelMap | None = None
    val_names: tuple[str, ...] = ()
    added: tuple[Addition, ...] = ()

    @classmethod
    def given(
        cls, data_format: str | None = None, label_map: str | Path | None = None, **paths: str | Path | None
    ) -> DataSpec:
        """As the arguments of a verb say it.

        Args:
            label_map: a file, or the name of a map that comes with the program.

        Raises:
            UsageError: the label map cannot be read.
        """
        mapped = None if label_map is None else read_label_map(label_map)
        named: dict[str, Any] = {name: Path(path) for name, path in paths.items() if path is not None}
        return cls(data_format=data_format, label_map=mapped, **named)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> DataSpec:
        """What `as_plain` has given."""
        texts = {name: value for name, value in plain.items() if name not in _STRUCTURED}
        label_map = plain.get("label_map")
        return replace(
            cls.given(**texts),
            label_map=None if label_map is None else LabelMap.from_plain(label_map),
            val_names=tuple(plain.get("val_names", ())),
            added=tuple(map(Addition.from_plain, plain.get("added", ()))),
        )

    @property
    def roots(self) -> dict[str, Path | None]:
        """The folder of each part of the labelled data."""
        return {part: getattr(self, f"{part}_root") for part in PARTS}

    @property
    def annotations(self) -> dict[str, Path | None]:
        """The file of annotations of each part of the labelled data."""
        return {part: getattr(self, f"{part}_annotations") for part in PARTS}

    @property
    def labelled_folders(self) -> tuple[Path, ...]:
        """The folders of labelled data that are named."""
        return (*(root for root in self.roots.values() if root is not None), *(one.root for one in self.added))

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that are named."""
        return (*self.labelled_folders, *(() if self.unlabelled_root is None else (self.unlabelled_root,)))

    @property
    def described(self) -> bool:
        """Whether a format or a file of annotations is named, so that the data is not looked at as bare images."""
        return self.data_format is not None or any(self.annotations.values())

    @property
    def validation_named(self) -> bool:
        """Whether the images to validate on are named, by a folder or by a file."""
        return self.val_root is not None or self.val_annotations is not None

    def or_else(self, other: DataSpec) -> DataSpec:
        """This data, and the other where nothing is named here."""
        return replace(other, **{name: value for name, value in vars(self).items() if value not in (None, ())})

    def without_annotations(self, parts: Iterable[str]) -> DataSpec:
        """The same without the files of annotations of these parts."""
        none: dict[str, Any] = dict.fromkeys((f"{part}_annotations" for part in parts), None)
        return replace(self, **none)

    def resolved(self) -> DataSpec:
        """The same with absolute paths."""
        paths: dict[str, Any] = {name: path for name, path in vars(self).items() if isinstance(path, Path)}
        resolved = {name: path.resolve() for name, path in paths.items()}
        return replace(self, **resolved, added=tuple(one.resolved() for one in self.added))

    def as_plain(self) -> dict[str, Any]:
        """Texts, lists and the content of label maps, for a file."""
        named = {name: value for name, value in vars(self).items() if name not in _STRUCTURED}
        texts = {name: None if value is None else str(value) for name, value in named.items()}
        return texts | {
            "label_map": None if self.label_map is None else self.label_map.as_plain(),
            "val_names": list(self.val_names),
            "added": [one.as_plain() for one in self.added],
        }


_STRUCTURED = ("label_map", "val_names", "added")
