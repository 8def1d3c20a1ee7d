"""Where on the earth the pixels of a GeoTIFF lie: its tags, as they are.

GeoTIFF 1.1 (OGC 19-008) has pixel scale and tie points, or a transformation, and a directory of keys with its numbers
and texts, which name the coordinate reference system. Satellite images may have the coefficients of their camera (RPC).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from otx_seg.runtime.image_headers import file_and_page
from otx_seg.runtime.tiff import SIGNATURES, UNREADABLE, tags_of

logger = logging.getLogger(__name__)

_SCALE, _KEYS, _NUMBERS, _TEXTS = 33550, 34735, 34736, 34737
_PLACING = (33922, 34264, 50844)
"""Tie points, transformation, camera: without one of these, nothing says where the image lies."""

_ORIENTATION = 274


class GeoTag(NamedTuple):
    """A tag of a TIFF file.

    Attributes:
        code: its number.
        kind: of its values: ``d`` and ``H`` as in `struct`, or ``s``, text.
        number: of its values.
        value: the numbers, or the text.
    """

    code: int
    kind: str
    number: int
    value: tuple[float, ...] | bytes


def georeference_of(path: str | Path) -> tuple[GeoTag, ...]:
    """The tags that place an image on the earth; none where it has no such, or is no TIFF.

    Those of an image that is stored turned do not fit what is read of it: they are left out, and that is told.

    Args:
        path: a file, or a page of a TIFF, see `file_and_page`.
    """
    file, page = file_and_page(path)
    try:
        with Path(file).open("rb") as opened:
            if not opened.read(4).startswith(SIGNATURES):
                return ()
            opened.seek(0)
            tags = tags_of(opened, page or 1)
            found = tuple(_read(tags, code) for code in (_SCALE, *_PLACING, _KEYS, _NUMBERS, _TEXTS) if code in tags)
            turned = tags.valueof(_ORIENTATION, 1) != 1
    except UNREADABLE:  # is told when the image is read
        return ()
    if not any(tag.code in _PLACING for tag in found):
        return ()
    if turned:
        logger.warning("%s: is stored turned, which its georeference does not fit; the mask is written without", path)
        return ()
    return found


def _read(tags: Any, code: int) -> GeoTag:
    value = tags.valueof(code)
    if code == _TEXTS:
        text = (value if isinstance(value, bytes) else str(value).encode()) + b"\0"
        return GeoTag(code, "s", len(text), text)
    numbers = np.ravel(value).tolist()
    return GeoTag(code, "H" if code == _KEYS else "d", len(numbers), tuple(numbers))
