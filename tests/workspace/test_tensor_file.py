"""Files of tensors from anywhere: what they hold is checked before anything is done with it."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from otx_seg.errors import UsageError
from otx_seg.workspace.tensor_file import open_tensors, read_tensors

NAN, INF = float("nan"), float("inf")


def cycle() -> list[Any]:
    found: list[Any] = []
    found += [found, found]
    return found


def doubled(times: int) -> list[Any]:
    found: list[Any] = [0]
    for _ in range(times):
        found = [found, found]
    return found


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model": {"state_dict": {"a.b": torch.tensor([1, float("nan")])}}},
            "1 of 2 values of the tensor 'a.b' are NaN",
        ),
        ({"optimizer": [{"c": torch.tensor(-INF)}]}, r"1 of 1 values of the tensor 'optimizer\.0\.c' are NaN"),
        ({"a": torch.ones(1).expand(10**12)}, "has 1,000,000,000,000 values, more than the file holds"),
        ({"a": torch.eye(3).to_sparse()}, "the tensor 'a' is of a kind that no network here has"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "of a kind that no network here has"),
        ({"a": cycle()}, "more than 300,000 values, or some more than 100 levels deep"),
        ({"a": doubled(60)}, "more than 300,000 values"),
        ({"a": nested(200)}, "more than 100 levels deep"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "any.pth")
    start = time.monotonic()
    with pytest.raises(UsageError, match=rf"any\.pth: .*{message}"):
        read_tensors(tmp_path / "any.pth")
    assert time.monotonic() - start < 5


def test_large_finite_numbers_are_numbers(tmp_path: Path) -> None:
    content = {"a": torch.full((100,), 3e38), "b": torch.full((10,), 6e4, dtype=torch.float16), "c": torch.zeros(0)}
    torch.save(content, tmp_path / "any.pth")
    found, has_digest = open_tensors(tmp_path / "any.pth")
    assert all(torch.equal(found[key], value) for key, value in content.items())
    assert not has_digest


def test_a_file_that_is_packed(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part))
    with pytest.raises(UsageError, match=r"packed\.pth: is not a checkpoint, or is damaged"):
        read_tensors(tmp_path / "packed.pth")
