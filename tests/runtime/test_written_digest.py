"""One bit that is not as it was written is noticed, wherever it is."""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path

import pytest
import torch
from color_graph import LABELS, color_graph

from otx_seg.deployment.files import save_ir
from otx_seg.errors import UsageError
from otx_seg.runtime.masks import PLAIN_ARGMAX
from otx_seg.runtime.model_info import ModelInfo
from otx_seg.runtime.written_digest import (
    add_zip_digest,
    check_digest,
    check_zip_digest,
    note_missing_digest,
    write_digest,
)
from otx_seg.workspace.atomic import write_tensors

ANY_ZIP = "any.zip"


def flipped(content: bytes, bit: int) -> bytes:
    found = bytearray(content)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "some text")
    add_zip_digest(buffer)
    (tmp_path / ANY_ZIP).write_bytes(buffer.getvalue())
    return tmp_path / ANY_ZIP


def test_bits_of_a_zip(zipped: Path) -> None:
    assert check_zip_digest(zipped)
    assert zipfile.ZipFile(zipped).read("a.txt") == b"some text"
    content = zipped.read_bytes()
    for bit in range(0, 8 * len(content), 3):
        zipped.write_bytes(flipped(content, bit))
        with pytest.raises(UsageError, match="damaged or was changed after it was written"):
            check_zip_digest(zipped)


def test_bytes_more_or_less_at_the_end_of_a_zip(zipped: Path) -> None:
    content = zipped.read_bytes()
    for changed in (content + b"\0", content + bytes(60_000), content[:-1], content[:-70], content[:-79], content * 2):
        zipped.write_bytes(changed)
        with pytest.raises(UsageError, match="damaged or was changed after it was written"):
            check_zip_digest(zipped)


def test_torch_reads_what_has_a_digest(tmp_path: Path) -> None:
    write_tensors(tmp_path / "any.pth", {"a": torch.arange(5), "b": "text"})
    assert check_zip_digest(tmp_path / "any.pth")
    read = torch.load(tmp_path / "any.pth", weights_only=True)
    assert torch.equal(read["a"], torch.arange(5))


@pytest.mark.parametrize("content", [b"", b"PK", b"x" * 500, b"\x80\x02}q\x00."])
def test_what_has_no_digest(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any").write_bytes(content)
    assert not check_zip_digest(tmp_path / "any")
    assert not check_digest(tmp_path / "any")


def test_a_zip_without_a_digest(tmp_path: Path) -> None:
    for comment in (b"", b"made by somebody"):
        with zipfile.ZipFile(tmp_path / ANY_ZIP, "w") as archive:
            archive.writestr("a.txt", "some text")
            archive.comment = comment
        assert not check_zip_digest(tmp_path / ANY_ZIP)


@pytest.fixture
def ir(tmp_path: Path) -> Path:
    model = color_graph()
    for name, value in ModelInfo(LABELS, None, PLAIN_ARGMAX, (16, 16)).entries().items():
        model.set_rt_info(value, ["model_info", name])
    save_ir(model, tmp_path / "model.xml")
    return tmp_path / "model.xml"


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_bits_of_an_ir(ir: Path, suffix: str) -> None:
    binary, damaged = ir.with_suffix(".bin"), ir.with_suffix(suffix)
    assert check_digest(ir, binary)
    content = damaged.read_bytes()
    name = 8 * content.find(b"otx_digest")
    for bit in (*range(0, 8 * len(content), 8 * len(content) // 400), *range(name - 8, name + 88)):
        damaged.write_bytes(flipped(content, bit))
        with pytest.raises(UsageError, match="damaged or was changed after it was written"):
            check_digest(ir, binary)


def test_an_entry_of_another_tool(ir: Path) -> None:
    ir.write_bytes(ir.read_bytes().replace(b"<otx_digest ", b"<their_hash "))
    assert not check_digest(ir, ir.with_suffix(".bin"))


def test_a_bit_of_the_name_in_an_onnx_file(tmp_path: Path) -> None:
    name = b"model_info otx_digest"
    for bit in range(8 * len(name)):
        (tmp_path / "model.onnx").write_bytes(b"graph" + flipped(name, bit) + b"\x12@" + b"a" * 64)
        with pytest.raises(UsageError, match="damaged or was changed after it was written"):
            check_digest(tmp_path / "model.onnx")


def test_it_can_be_written_anew(ir: Path) -> None:
    binary = ir.with_suffix(".bin")
    before = ir.read_bytes()
    write_digest(ir, binary)
    assert ir.read_bytes() == before
    ir.write_bytes(before.replace(b"grass", b"gruss"))
    with pytest.raises(UsageError, match=r"model\.xml or model\.bin is damaged or was changed .* entry model_info"):
        check_digest(ir, binary)
    write_digest(ir, binary)
    assert check_digest(ir, binary)


def test_it_is_told_once(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            note_missing_digest(tmp_path / "model.xml")
    assert [record.message for record in caplog.records] == [
        f"{tmp_path / 'model.xml'}: has no digest, so whether it is as it was written is not known"
    ]
