"""How many processors there are to work with."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

import otx_seg
from otx_seg.runtime.processors import processor_count, usable_processors


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_those_that_the_process_is_bound_to() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_processors() == [min(before)]
        assert processor_count() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert processor_count() <= len(before)


@pytest.mark.parametrize(
    ("text", "count"), [("150000 100000\n", 2), ("50000 100000\n", 1), ("6400000 100000\n", 6), ("max 100000\n", 6)]
)
def test_the_share_that_a_container_gets(tmp_path: Path, monkeypatch: Any, text: str, count: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr("otx_seg.runtime.processors.usable_processors", lambda: list(range(6)))
    assert processor_count(tmp_path / "cpu.max") == count
    assert processor_count(tmp_path / "nothing") == 6


def test_nobody_counts_by_himself() -> None:
    counting = re.compile(r"cpu_count|sched_getaffinity")
    files = [path for path in Path(otx_seg.__file__).parent.rglob("*.py") if counting.search(path.read_text("utf-8"))]
    assert [path.name for path in files] == ["processors.py"]
