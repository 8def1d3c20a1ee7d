"""`data.yaml`: where the data of a workspace is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from otx_seg.errors import UsageError
from otx_seg.template.invalid import explain
from otx_seg.template.listing import read_yaml

_HEAD = """\
# Where the data is. Paths are absolute, or relative to this file's folder; what is empty is not there.
# train, val, test: labelled images; unlabeled: images without masks, all of them or those of file-list.
"""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Labelled(_Section):
    """Images with masks."""

    data_roots: str | None = Field(None, alias="data-roots", min_length=1)
    ann_files: str | None = Field(None, alias="ann-files")

    @field_validator("ann_files")
    @classmethod
    def _refuse(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("annotation files are not read, masks lie beside the images; leave it empty")
        return value


class Unlabelled(_Section):
    """Images without masks."""

    data_roots: str | None = Field(None, alias="data-roots", min_length=1)
    file_list: str | None = Field(None, alias="file-list", min_length=1)


class Data(_Section):
    """All parts of the data; one that is empty in the file is there without paths."""

    train: Labelled = Labelled()
    val: Labelled = Labelled()
    test: Labelled = Labelled()
    unlabeled: Unlabelled = Unlabelled()

    @field_validator("*", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        return {} if value is None else value


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
        lines = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000).replace(": null", ":")
        return _HEAD + lines


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
