"""The journal of a run: appended, rewound, read in spite of a line cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from otx_seg.training.journal import Journal, read_journal


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "logs" / "metrics.jsonl")
    journal.rewind(3)
    for step in range(1, 6):
        journal.append({"step": step, "loss": 1 / step})
    with journal.path.open("a") as file:
        file.write('{"step": 6, "lo')
    assert [entry["step"] for entry in read_journal(journal.path)] == [1, 2, 3, 4, 5]
    journal.rewind(3)
    journal.append({"step": 4, "absent_labels": ["a"]})
    assert [entry["step"] for entry in read_journal(journal.path)] == [1, 2, 3, 4]


def test_damaged_lines_are_left_out_and_told_of(tmp_path: Path, messages: Any) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [b'{"step": 1, "loss": 1.0}', b"\xff", b"[]", b'{"step": "2\xc2\xb2"}', b'{"step": 3, "loss": NaN}']
    lines += [b'{"step": 4, "loss": "x"}', b"", b'{"step": 5, "loss": 0.5}', b'{"ste']
    path.write_bytes(b"\n".join(lines))
    assert [entry["step"] for entry in read_journal(path)] == [1, 5]
    assert "metrics.jsonl: 6 damaged lines left out, the first is line 2" in messages.text
