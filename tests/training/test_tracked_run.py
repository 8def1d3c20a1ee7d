"""What trackers are told: everything once, whatever happens to the training."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tracked_story import CURVES, LABELS, PARAMETERS, PICTURE, STEPS, VALIDATED, step, tell_story, validation

from otx_seg.errors import UsageError
from otx_seg.training.loggers import MayFail
from otx_seg.training.tracked_run import TrackedRun, Tracker, answers


class Told(Tracker):
    """A tracker that remembers."""

    def __init__(self, folder: Path, told: list[tuple[Any, ...]], gives: str = "id") -> None:
        super().__init__(folder)
        self.told, self.gives = told, gives

    def begin(self, step: int, run_id: str | None) -> str | None:
        self.told.append(("begin", step, run_id))
        return self.gives

    def show_parameters(self, values: dict[str, Any]) -> None:
        self.told.append(("parameters", values))

    def add_values(self, values: dict[str, float], step: int) -> None:
        self.told += [("value", name, step, value) for name, value in values.items()]

    def add_picture(self, name: str, pixels: np.ndarray, step: int) -> None:
        self.told.append(("picture", name, step, pixels))

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        self.told.append(("table", columns, list(rows)))

    def add_file(self, path: Path) -> None:
        self.told.append(("file", path))

    def end(self, finished: bool) -> None:
        self.told.append(("end", finished))


def test_everything_is_told_once(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    report = tell_story(lambda: Told(tmp_path / "run" / "trackers" / "told", told), tmp_path)
    points: dict[str, list[tuple[int, float]]] = {}
    for _, name, at, value in (entry for entry in told if entry[0] == "value"):
        points.setdefault(name, []).append((at, value))
    assert points["losses/loss"] == points["losses/aux_0 CrossEntropy"] == STEPS
    assert points["learning_rate"] == [(at, 0.25) for at, _ in STEPS]
    for name, value in CURVES.items():
        assert points[name] == [(at, pytest.approx(value)) for at in VALIDATED]
    assert points["kept network/Dice Average"] == [(30, pytest.approx(0.9))]
    shown = [entry for entry in told if entry[0] == "picture"]
    names = ["image, truth, prediction/a/b c.jpg"] * 3 + ["confusion matrix/kept network"]
    assert [(name, at) for _, name, at, _ in shown] == list(zip(names, [*VALIDATED, 30], strict=True))
    assert np.array_equal(shown[0][3], np.hstack(PICTURE.drawn()))
    assert shown[3][3].dtype == np.uint8
    assert shown[3][3].shape[2] == 3
    rows = [("background", 2, 1, 0), ("grüne Wiese", 1, 4, 0), ("a/b | <c>", 0, 0, 2)]
    assert ("table", ("true", *LABELS.names), rows) in told
    assert [entry for entry in told if entry[0] in ("begin", "file", "end")] == [
        ("begin", 0, None),
        ("end", False),
        ("begin", 10, "id"),
        ("file", report),
        ("end", True),
    ]
    assert ("parameters", PARAMETERS) in told


def test_another_run_of_the_program_is_told_from_where_it_begins(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    for gives, first in (("one", 0), ("two", 10)):
        run = TrackedRun(Told(tmp_path / "told", told, gives))
        run.on_begin(first)
        run.on_step(step(20, 1.0))
        run.on_close()
        run.on_close()
    assert [at for kind, *_, at, _ in (entry for entry in told if entry[0] == "value") if kind] == [20] * 6
    assert [entry[1] for entry in told if entry[0] == "end"] == [False, False]


def test_the_last_validation_is_told_again_where_a_network_was_improved_after_it(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    for first in (0, 20):
        run = TrackedRun(Told(tmp_path / "told", told))
        run.on_begin(first)
        run.on_validation(validation(20))
        run.on_close()
    assert len([entry for entry in told if entry[:2] == ("value", "scores/mDice")]) == 2


def test_a_training_that_begins_anew_in_one_command_goes_on_in_the_same_run(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    run = TrackedRun(Told(tmp_path / "told", told))
    run.on_begin(5)
    run.on_end(None)
    run.on_begin(3)
    run.on_close()
    kinds = [entry for entry in told if entry[0] in ("begin", "end")]
    assert kinds == [("begin", 5, None), ("end", False), ("begin", 3, "id"), ("end", False)]


def test_nothing_is_closed_that_never_began(tmp_path: Path) -> None:
    told: list[tuple[Any, ...]] = []
    run = TrackedRun(Told(tmp_path / "told", told))
    run.on_close()
    assert (told, list(tmp_path.iterdir())) == ([], [])


def test_one_that_fails_is_closed(tmp_path: Path, messages: Any) -> None:
    class Full(Told):
        def add_values(self, values: dict[str, float], step: int) -> None:
            raise OSError(28, "no space\nleft")

    told: list[tuple[Any, ...]] = []
    run = MayFail("the tracker full", TrackedRun(Full(tmp_path / "told", told)))
    run.on_begin(0)
    run.on_step(step(10, 1.0))
    run.on_step(step(20, 1.0))
    run.on_close()
    assert told[-1] == ("end", False)
    assert messages.text == (
        "the tracker full failed and gets nothing more; the training continues (the reason is in its log file)\n"
    )


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"run_id": 7}')
    with pytest.raises(UsageError, match=r"run.json: is damaged .*run_id.*delete it"):
        TrackedRun(Told(tmp_path, [])).on_begin(0)


def test_a_server_is_asked_before_it_is_waited_for(weights_server: tuple[str, Path]) -> None:
    address, _ = weights_server
    assert answers(address)
    assert answers(f"{address}/missing")  # with an error, but it does
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert not answers(f"http://127.0.0.1:{port}")
    assert answers("databricks")
