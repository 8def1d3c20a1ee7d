"""The journal of a run: appended, rewound, read in spite of a line cut short."""

from __future__ import annotations

from pathlib import Path

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
    journal.append({"step": 4})
    assert [entry["step"] for entry in read_journal(journal.path)] == [1, 2, 3, 4]
