"""What is told of the data of a verb."""

from __future__ import annotations

from typing import Any

from otx_seg.training.setup.data import tell_skipped


def test_files_that_are_left_out_are_told_in_a_few_lines(messages: Any) -> None:
    told = tell_skipped("test", [f"{number}.png: not an image" for number in range(5)])
    assert messages.text.count("test data: skipped: ") == 5
    assert "more" not in messages.text
    assert told[4] == "test data: skipped: 4.png: not an image"


def test_of_many_the_number_is_told(messages: Any) -> None:
    told = tell_skipped("test", [f"{number}.png: not an image" for number in range(2000)])
    assert len(told) == 2000  # a report names them all
    assert messages.text.count("test data: skipped: ") == 6
    assert "test data: skipped: and 1,995 more\n" in messages.text
