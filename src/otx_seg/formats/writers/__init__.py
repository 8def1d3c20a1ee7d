"""Masks written as annotations that a person corrects in a tool; each format is a class in a module of this package.

A module is called what ``otx predict --save-as`` calls its format, with ``_`` for ``-``. Its class is an
`AnnotationWriter`, and what it writes is read by the module of `otx_seg.formats` for the same files. What several of
them need is in `otx_seg.formats.layouts.written_annotations`.
"""

from __future__ import annotations

import importlib
from typing import Any

from otx_seg.catalogue import classes
from otx_seg.formats import AnnotationWriter


def writer_of(name: str) -> type[AnnotationWriter]:
    """The writer of a format by its name in ``--save-as``."""
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    found: Any = next(found for found in classes(__name__).values() if found.__module__ == module.__name__)
    writer: type[AnnotationWriter] = found
    return writer
