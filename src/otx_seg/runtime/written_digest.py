"""Digests by which it is noticed that a file of a model is damaged or was changed: SHA-256 over all that was written.

A digest stands in the file that it is of: in an IR and in an ONNX file as the entry ``model_info/otx_digest``, over all
bytes of the file (and of the ``.bin``) with zeros in its own place; in files that are zips, such as weights, as the
comment at their end, over all bytes before it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import operator
import re
import struct
from collections.abc import Iterable
from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.runtime.whole_file import write_atomic

logger = logging.getLogger(__name__)

DIGEST = "otx_digest"
BLANK = "0" * 64
"""What stands in the place of a digest until it is known."""

_MARK = re.compile(rb"(?:<|model_info )otx_digest\b")
_BEFORE = (b'<otx_digest value="', b"model_info otx_digest\x12@")
_DIGITS = rb"([0-9a-f]{64})(?![0-9a-f])"
_PLACE = re.compile(b"(?:" + b"|".join(_BEFORE) + b")" + _DIGITS)
_LIKE_IT = re.compile(rb'(?:value="|\x12@)' + _DIGITS)

_BEGINNING = b"otx-seg sha256 "
_COMMENT = re.compile(_BEGINNING + b"([0-9a-f]{64})")
_COMMENT_BYTES = len(_BEGINNING) + 64
_END_OF_ZIP, _END_BYTES = b"PK\x05\x06", 22  # before the comment
_LENGTH = struct.pack("<H", _COMMENT_BYTES)  # of the comment, the last of those
_FURTHEST = _END_BYTES + (1 << 16)  # from the end of a zip is where its comment begins
_PIECE = 1 << 20


def write_digest(model: Path, *others: Path) -> None:
    """Put the digest of a model file, and of `others` that belong to it, into the place that was left for it.

    Args:
        model: an ``.xml`` or ``.onnx`` with the entry `DIGEST`, of whatever value.

    Raises:
        OSError: a file cannot be read or written.
    """
    content = model.read_bytes()
    place = _PLACE.search(content)
    assert place is not None, f"{model} has no entry {DIGEST}"
    start, end = place.span(1)
    digest = _of_model(content, place, others)
    write_atomic(model, content[:start] + digest.encode() + content[end:])


def check_digest(model: Path, *others: Path, content: bytes | None = None) -> bool:
    """Whether a model file has a digest, which is then that of its bytes and those of `others`.

    Args:
        content: of `model`; None: it is read.

    Raises:
        UsageError: it is another one.
    """
    content = model.read_bytes() if content is None else content
    if _MARK.search(content) is None and not any(map(_has_odd_name, _LIKE_IT.finditer(content))):
        return False
    place = _PLACE.search(content)
    if place is None or _of_model(content, place, others) != place[1].decode():
        both = " or ".join(file.name for file in (model, *others))
        raise UsageError(
            f"{model}: {both} is damaged or was changed after it was written; restore it, create it again (otx "
            f"export, otx optimize), or, if it was changed deliberately, remove its entry model_info/{DIGEST}"
        )
    return True


def _has_odd_name(like_it: re.Match[bytes]) -> bool:
    """Whether what looks like a digest has its name but for one byte."""
    names = ((name, like_it.string[like_it.start(1) - len(name) : like_it.start(1)]) for name in _BEFORE)
    return any(sum(map(operator.ne, name, found)) == 1 for name, found in names if len(name) == len(found))


def _of_model(content: bytes, place: re.Match[bytes], others: Iterable[Path]) -> str:
    found, view = hashlib.sha256(), memoryview(content)
    start, end = place.span(1)
    for part in (view[:start], BLANK.encode(), view[end:]):
        found.update(part)
    for other in others:
        _add(found, other)
    return found.hexdigest()


def _add(found: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)


def add_zip_digest(zipped: io.BytesIO) -> None:
    """Add its digest, as the comment, to a zip that has no comment. It may be large, so that it is not copied."""
    with zipped.getbuffer() as content:
        assert bytes(content[-_END_BYTES:][:4]) == _END_OF_ZIP, "the zip has a comment"
        content[-2:] = _LENGTH
        digest = hashlib.sha256(content).hexdigest()
    zipped.seek(0, io.SEEK_END)
    zipped.write(_BEGINNING + digest.encode())


def check_zip_digest(path: Path) -> bool:
    """Whether a zip has a digest, which is then that of its bytes.

    Raises:
        UsageError: it is another one.
        OSError: the file cannot be read.
    """
    found, before = hashlib.sha256(), path.stat().st_size - _COMMENT_BYTES
    with path.open("rb") as file:
        file.seek(max(0, before - _FURTHEST))
        end = file.read()
        comment = _COMMENT.fullmatch(end[-_COMMENT_BYTES:])
        # A part of the comment may be missing, and anything may stand behind it.
        length_at = end.rfind(_END_OF_ZIP) + _END_BYTES - len(_LENGTH)
        if comment is None and not (_COMMENT.search(end) or end[length_at:].startswith(_LENGTH)):
            return False
        file.seek(0)
        for start in range(0, before, _PIECE):
            found.update(file.read(min(_PIECE, before - start)))
    if comment is None or comment[1].decode() != found.hexdigest():
        raise UsageError(f"{path}: is damaged or was changed after it was written; restore it, or create it again")
    return True


@functools.cache
def note_missing_digest(path: Path) -> None:
    """Say once that it cannot be known whether a file is as it was written."""
    logger.info("%s: has no digest, so whether it is as it was written is not known", path)
