"""The list of suggestions as a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from otx_seg.labelling.choosing import Candidate, Choice
from otx_seg.labelling.suggestions import Suggestion, as_csv, files_in_csv


def suggestion(name: str, choice: Choice) -> Suggestion:
    candidate = Candidate(name, np.zeros((64, 64), np.uint8), None, 1.25, 0.5)
    return Suggestion(Path("in") / name, name, 0.5, candidate, choice)


def test_a_line_for_each() -> None:
    text = as_csv([suggestion("sub/a, b.png", Choice(0, 0.5, 1.5, "l.png", 3)), suggestion("c.png", Choice(1, 0.25))])
    assert text.splitlines() == [
        "rank,file,score,uncertainty_bits,disagreement_bits,distance,nearest,stands_for",
        '1,"sub/a, b.png",0.5000,1.2500,0.5000,1.5000,l.png,3',
        "2,c.png,0.2500,1.2500,0.5000,,,",
    ]
    assert files_in_csv(text) == ["sub/a, b.png", "c.png"]


def test_another_table_names_no_files_of_ours() -> None:
    assert files_in_csv("file\nmine.png\n") == []
    assert files_in_csv("") == []
