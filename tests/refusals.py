"""What a refused command looks like."""

from __future__ import annotations

from typing import Any


def refused(outcome: Any, *texts: str) -> None:
    """It ended as a wrong use does, with one message that has these texts."""
    assert outcome.code == 2, outcome.err
    assert outcome.message.count("Error:") == 1
    for text in texts:
        assert text in outcome.message, f"{text!r} is not in: {outcome.message}"
