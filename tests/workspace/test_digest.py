"""A digest of files tells whether they have changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from otx_seg.workspace.digest import content_digest, digest_of


def test_a_digest_sees_names_sizes_and_times(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "b"
    seen = set()
    for text, when in (("x", 1), ("y", 1), ("yy", 1), ("yy", 2)):
        file.write_text(text)
        os.utime(file, (when, when))
        seen.add(digest_of(tmp_path))
    file.rename(tmp_path / "a" / "c")
    seen.add(digest_of(tmp_path))
    assert digest_of(tmp_path / "a" / "c") != digest_of(tmp_path / "a" / "gone")
    # Data sets may consist of links, and what changes is behind them.
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (tmp_path / "linked").symlink_to(elsewhere)
    before = digest_of(tmp_path)
    (elsewhere / "mask.png").touch()
    assert digest_of(tmp_path) != before
    (tmp_path / "linked").unlink()
    assert len(seen) == 4  # "x" and "y" differ in nothing that is looked at
    assert digest_of(tmp_path) in seen


def test_the_digest_of_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")
    assert content_digest([tmp_path / "a", tmp_path / "b"]) == hashlib.sha256(b"abc").hexdigest()
