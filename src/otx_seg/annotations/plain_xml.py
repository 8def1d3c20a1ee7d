"""XML files from anywhere as elements, in time and memory that follow from their size.

A document type can make a few lines stand for billions of characters, or for other files; no annotation tool needs one.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from otx_seg.errors import DataError
from otx_seg.runtime.image_headers import read_bytes
from otx_seg.runtime.plain_files import DEEPEST


def read_xml(path: Path, root_tag: str) -> Element:
    """The outermost element of a file.

    Args:
        root_tag: its name.

    Raises:
        DataError: the file is missing or empty, is no XML, defines entities, is nested more than `DEEPEST` levels deep,
            or has another outermost element.
    """
    content = read_bytes(path)
    try:
        root = _parsed(content)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise DataError(f"{path}: not valid XML ({error}); expected is <{root_tag}>") from error
    if root.tag != root_tag:
        raise DataError(f"{path}: holds <{root.tag[:60]}>; expected is <{root_tag}>")
    return root


def _parsed(content: bytes) -> Element:
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"elements are nested more than {DEEPEST} levels deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ValueError("it defines entities")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.Parse(content, True)
    return builder.close()
