"""Reads the program's own files, which may have been changed since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import read_json, shown

T = TypeVar("T")
_MOST_BYTES = 1 << 28  # the names of some million images


def read_own(path: Path, kind: type[T], advice: str) -> T:
    """The value in a JSON file, checked to the last field.

    Args:
        path: the file.
        kind: a dataclass, or a type such as ``list[Decision]``; keys that it does not know are passed over.
        advice: what to do where the file is damaged, for the end of the message.

    Raises:
        UsageError: the file is missing, or holds something else.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to import

    content = read_json(path, advice, UsageError, _MOST_BYTES)
    try:
        # JSON mode: lists stand for tuples and texts for paths, but texts do not stand for numbers.
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise damaged(path, f"{key} is {shown(problem['input'])}: {problem['msg']}", advice) from error


def damaged(path: Path, what: str, advice: str) -> UsageError:
    """The error for a damaged file of the program's own."""
    return UsageError(f"{path}: is damaged ({what}); {advice}")
