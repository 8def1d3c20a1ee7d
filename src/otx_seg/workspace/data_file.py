"""`data.yaml`: where the data of a workspace is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from otx_seg.errors import UsageError
from otx_seg.template.invalid import explain
from otx_seg.template.yaml_files import read_yaml

_HEAD = """\
# Where the data is. Paths are absolute, or relative to this file's folder; what is empty is missing.
# data-format: that of train, val and test; if empty, what they look like. `otx convert --help` lists the formats.
# label-map: a file that renames, merges and drops their labels, or the name of one that comes with otx.
# train, val, test: labelled images, and a COCO file that describes them, where that is not in their folder.
# unlabeled: images without masks, all of them or those of file-list.
# added: labelled images that came to train later (`otx build --add-data`); remove an entry to take it back.
"""


class _EmptyForNone(yaml.SafeDumper):
    """Writes nothing where there is no value, for people to fill it in."""


_EmptyForNone.add_representer(type(None), lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:null", ""))


_Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Labelled(_Section):
    """Images with masks."""

    data_roots: str | None = Field(None, alias="data-roots", min_length=1)
    ann_files: str | None = Field(None, alias="ann-files", min_length=1)

    @property
    def named(self) -> bool:
        """Whether it has any entry."""
        return self.data_roots is not None or self.ann_files is not None


class Validation(Labelled):
    """Images with masks to validate on; `images` names them where they lie among those of `train`."""

    images: list[str] | None = Field(None, min_length=1)


class Added(Labelled):
    """Images with masks that came to those of `train` later, see `otx_seg.datasets.data_spec.Addition`.

    Attributes:
        label_map: a file, the name of a label map that comes with the program, or what each label becomes.
    """

    data_roots: str = Field(alias="data-roots", min_length=1)  # type: ignore[assignment]
    data_format: str | None = Field(None, alias="data-format", min_length=1)
    label_map: _Text | dict[str, str] | None = Field(None, alias="label-map")
    left_out: dict[str, list[str]] = Field({}, alias="left-out")


class Unlabelled(_Section):
    """Images without masks."""

    data_roots: str | None = Field(None, alias="data-roots", min_length=1)
    file_list: str | None = Field(None, alias="file-list", min_length=1)


class Data(_Section):
    """All parts of the data; one that is empty in the file is there without paths.

    Attributes:
        data_format: the name of the format of the labelled images; None: what they look like.
        label_map: a file, or the name of a label map that comes with the program, for the labelled images.
        val: without a folder of its own, `ann_files` describes images in that of `train`, or `images` names some.
        added: by their names, the earliest first.
    """

    data_format: str | None = Field(None, alias="data-format", min_length=1)
    label_map: str | None = Field(None, alias="label-map", min_length=1)
    train: Labelled = Labelled()
    val: Validation = Validation()
    test: Labelled = Labelled()
    unlabeled: Unlabelled = Unlabelled()
    added: dict[str, Added] = {}

    @field_validator("train", "val", "test", "unlabeled", "added", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("train", "val", "test")
    @classmethod
    def _has_images(cls, part: Labelled, info: ValidationInfo) -> Labelled:
        if part.ann_files is None or part.data_roots is not None:
            return part
        if info.field_name != "val":
            raise ValueError("ann-files describes images: name their folder in data-roots beside it")
        if "train" in info.data and info.data["train"].data_roots is None:
            raise ValueError(
                "ann-files describes images: name their folder in data-roots beside it, or in data-roots of train"
            )
        return part

    @field_validator("added")
    @classmethod
    def _has_other_names(cls, added: dict[str, Added]) -> dict[str, Added]:
        if "train" in added:
            raise ValueError("'train' is what left-out calls the data that the others came to: choose another name")
        return added

    @property
    def summary(self) -> str:
        """What it names, in one line for people; empty where it names nothing."""
        named = [] if self.data_format is None else [f"format {self.data_format}"]
        named += [] if self.label_map is None else [f"label map {self.label_map}"]
        for name in ("train", "val", "test"):
            part = getattr(self, name)
            words = [name, part.data_roots, f"({part.ann_files})" if part.ann_files is not None else None]
            named += [" ".join(filter(None, words))] if part.named else []
        if self.unlabeled.data_roots is not None:
            named.append(f"unlabeled {self.unlabeled.data_roots}")
        named += [f"added {part.data_roots}" for part in self.added.values()]
        return ", ".join(named)


class DataFile(_Section):
    """What ``data.yaml`` holds, under the names that OpenVINO Training Extensions 1.x gave it."""

    data: Data = Data()

    @field_validator("data", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value

    def as_yaml(self) -> str:
        """The file, which `read_data_file` reads back."""
        plain = self.model_dump(by_alias=True)
        if not plain["data"]["added"]:
            del plain["data"]["added"]
        if plain["data"]["val"]["images"] is None:
            del plain["data"]["val"]["images"]
        return _HEAD + yaml.dump(plain, Dumper=_EmptyForNone, sort_keys=False, allow_unicode=True, width=1000)


def read_data_file(path: Path) -> Data:
    """Read ``data.yaml``; the paths in it are those written there.

    Raises:
        UsageError: it is no such file; the message names the key and the nearest known one.
    """
    content = read_yaml(path, "data.yaml")
    try:
        # JSON mode: what YAML makes of a date or a number is no path.
        return DataFile.model_validate_json(json.dumps(content, default=str), strict=True).data
    except ValidationError as error:
        raise UsageError(f"{path}: {explain(error, DataFile)}") from error
