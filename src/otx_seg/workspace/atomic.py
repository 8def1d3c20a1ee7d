"""Atomic writing of texts and tensors: after a crash there is the old file or the new one, never half of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from otx_seg.runtime.whole_file import write_atomic
from otx_seg.runtime.written_digest import add_zip_digest

__all__ = ["write_atomic", "write_json", "write_tensors", "write_text"]


def write_text(path: Path, text: str) -> None:
    """`write_atomic` for UTF-8 text."""
    write_atomic(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_atomic` for plain values as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_tensors(path: Path, value: Any) -> None:
    """`write_atomic` for tensors and plain values, in torch's file format, with its digest at the end."""
    import torch

    buffer = io.BytesIO()
    torch.save(value, buffer)
    add_zip_digest(buffer)
    write_atomic(path, buffer.getvalue())
