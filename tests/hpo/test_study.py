"""Which values the trials of a search have; the numbers are worked out by hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from otx_seg.hpo.study import Study
from otx_seg.hpo.trial import Outcome
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, Range

# Two decades and two octaves: a quarter of them is a factor of 3.16 and one of 1.41.
SPACE = {LEARNING_RATE: Range(low=3e-4, high=3e-2, log=True), BATCH_SIZE: Range(low=4, high=16, log=True)}


def asked(
    folder: Path, first: dict[str, float], trials: int, scores: tuple[float, ...] = (), faster: bool = True
) -> list[tuple[float, int]]:
    """The values of so many trials, each of which gets its score, or the last one's, before the next is asked for."""
    study = Study(folder, SPACE, first, 1, faster)
    found = []
    for number in range(trials):
        values = study.values(number, trials)
        score = scores[min(number, len(scores) - 1)] if scores else 0.5
        study.record(number, 0, Outcome(score, 0.1, 1, 1, 1.0, "", os.getpid()))
        found.append((values[LEARNING_RATE], values[BATCH_SIZE]))
    return found


def test_the_first_trials_differ_in_one_value_from_the_start(tmp_path: Path) -> None:
    found = asked(tmp_path, {LEARNING_RATE: 3e-3, BATCH_SIZE: 8}, 5)
    assert found == [
        (3e-3, 8),
        (pytest.approx(9.49e-3, rel=1e-3), 8),
        (pytest.approx(9.49e-4, rel=1e-3), 8),
        (3e-3, 6),
        (3e-3, 11),
    ]


def test_what_learns_more_slowly_may_go_first(tmp_path: Path) -> None:
    found = asked(tmp_path, {LEARNING_RATE: 3e-3, BATCH_SIZE: 8}, 5, faster=False)
    assert found[1:] == [
        (pytest.approx(9.49e-4, rel=1e-3), 8),
        (pytest.approx(9.49e-3, rel=1e-3), 8),
        (3e-3, 11),
        (3e-3, 6),
    ]


def test_only_within_the_space(tmp_path: Path) -> None:
    found = asked(tmp_path, {LEARNING_RATE: 1e-6, BATCH_SIZE: 16}, 4)
    assert found[0] == (1e-6, 16)  # as given, though it lies outside
    assert found[1:] == [(3e-4, 16), (pytest.approx(9.49e-4, rel=1e-3), 16), (3e-4, 11)]
    # No step is cut short at the edge.
    assert asked(tmp_path / "edge", {LEARNING_RATE: 2.9e-2, BATCH_SIZE: 4}, 3)[1:] == [
        (pytest.approx(9.17e-3, rel=1e-3), 4),
        (2.9e-2, 6),
    ]


def test_a_whole_number_moves_by_one_at_least(tmp_path: Path) -> None:
    narrow = {BATCH_SIZE: Range(low=2, high=4, log=True)}
    study = Study(tmp_path, narrow, {BATCH_SIZE: 3}, 1, faster=True)
    assert [study.values(number, 3)[BATCH_SIZE] for number in range(3)] == [3, 2, 4]


def test_then_the_scores_say_where_to_look(tmp_path: Path) -> None:
    start = {LEARNING_RATE: 3e-3, BATCH_SIZE: 8}
    fast = asked(tmp_path / "fast", start, 15, (0.5, 0.9, 0.1, 0.5, 0.5, 0.6))
    slow = asked(tmp_path / "slow", start, 15, (0.5, 0.1, 0.9, 0.5, 0.5, 0.6))
    assert fast[:5] == slow[:5]
    rates = [np.mean(np.log([rate for rate, _ in found[5:]])) for found in (fast, slow)]
    assert rates[0] > rates[1] + 0.5
