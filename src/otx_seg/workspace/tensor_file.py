"""Files of tensors and plain values in torch's format, from anywhere: opened without running code, and checked once.

Nothing that costs more time or memory than the size of the file lets expect is done with what a file says.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import DEEPEST, shown
from otx_seg.runtime.written_digest import check_zip_digest
from otx_seg.workspace.model_file import check_model_file

_MOST_VALUES = 300_000
_SHARED = 8
"""How often tensors may use the same memory, on average."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

_DAMAGES = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
)
"""What torch and pickle raise for files that are not whole."""


def read_tensors(path: Path) -> Any:
    """As `open_tensors`, but the content alone."""
    return open_tensors(path)[0]


def open_tensors(path: Path) -> tuple[Any, bool]:
    """The content of a file of tensors and plain values, and whether it has a digest.

    Raises:
        UsageError: missing, no such file format, damaged, with tensors that hold no numbers, or it would run code when
            loaded.
    """
    if path.is_dir():
        check_model_file(path, (".pth",))
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file")
    if path.suffix.lower() in (".xml", ".bin", ".onnx"):
        raise UsageError(f"{path}: is part of an exported model; give the .pth that `otx train` wrote")
    try:
        has_digest, size = check_zip_digest(path), path.stat().st_size
        _refuse_odd_format(path, size)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path}: refused: it holds objects other than tensors and plain values, and loading those could run "
            "code. If you trust the file, save its tensors alone with torch.save and try again."
        ) from error
    except _DAMAGES as error:
        raise UsageError(f"{path}: is not a checkpoint, or is damaged") from error
    try:
        _check(content, size)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return content, has_digest


def unlike(found: Mapping[str, Any], own: Mapping[str, Tensor]) -> Iterator[str]:
    """The names in `own` under which `found` has no tensor of the same shape and kind of numbers.

    Torch would load integers in place of others without a word.
    """
    for name, tensor in own.items():
        other = found.get(name)
        if not isinstance(other, Tensor) or other.shape != tensor.shape or not same_kind(other, tensor):
            yield name


def same_kind(one: Tensor, other: Tensor) -> bool:
    """Whether both hold integers, or neither."""
    return one.is_floating_point() == other.is_floating_point()


def _refuse_odd_format(path: Path, size: int) -> None:
    with path.open("rb") as file:
        if file.read(1) == b"\x80":  # a pickle, the format before 2020
            return
    with zipfile.ZipFile(path) as archive:
        if not archive.infolist() or sum(part.file_size for part in archive.infolist()) > size:
            raise ValueError("it is compressed, which torch never does, or empty")


def _check(content: Any, size: int) -> None:
    """
    Args:
        size: of the file, in bytes.

    Raises:
        ValueError: it holds more values than a model has, tensors of other kinds, or such that hold no numbers.
    """
    left = size * _SHARED
    for place, value in _values(content):
        if not isinstance(value, Tensor):
            continue
        name = shown(place)
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_complex() or value.is_quantized:
            raise ValueError(f"the tensor {name} is of a kind that no network here has ({value.dtype}, {value.layout})")
        left -= value.numel() * value.element_size()
        if left < 0:
            raise ValueError(f"the tensor {name} has {value.numel():,} values, more than the file holds")
        # A sum takes a tenth of the time of a look at each value; it may overflow.
        if value.dtype in _FLOATS and not value.sum().isfinite() and not value.isfinite().all():
            wrong = int((~value.isfinite()).sum())
            raise ValueError(
                f"{wrong:,} of {value.numel():,} values of the tensor {name} are NaN or infinite; the "
                "network is unusable: take another checkpoint, or train again"
            )


def _values(content: Any) -> Iterator[tuple[str, Any]]:
    """Every value of nested mappings and lists with its dotted place. What is in them may contain itself.

    Raises:
        ValueError: they are too many, or too deep.
    """
    pending, seen = [("", content, 0)], 0
    while pending:
        place, value, depth = pending.pop()
        yield place.removeprefix("model.state_dict."), value
        if not isinstance(value, (dict, list, tuple, set, frozenset)):
            continue
        seen += len(value)
        if seen > _MOST_VALUES or depth > DEEPEST:
            raise ValueError(f"it holds more than {_MOST_VALUES:,} values, or some more than {DEEPEST} levels deep")
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        pending += [(f"{place}.{key}".lstrip("."), part, depth + 1) for key, part in parts]
