"""What to say of images whose formats are not read, HEIC and camera raw files among them."""

from __future__ import annotations

from pathlib import Path

from otx_seg.annotations.samples import LeftOut
from otx_seg.formats.layouts.what_lies_there import what_else
from otx_seg.runtime.image_files import unread_in, unread_names


def no_images(folder: Path, named: str = "") -> str:
    """What to say of a folder without images (`named`: like what), or with those of formats that are not read alone."""
    return f"{folder}: {unread_in(folder) or f'no images{named}; {what_else(folder)}'}"


def unread_files(*folders: Path) -> tuple[LeftOut, ...]:
    """The images in some folders whose formats are not read."""
    return tuple(
        LeftOut("unread_files", "in a format that is not read", str(folder), name)
        for folder in dict.fromkeys(folders)
        for name in unread_names(str(folder))
    )
