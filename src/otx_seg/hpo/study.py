"""The journal of a search: which values each trial has, and how far it came; Optuna chooses the values (TPE)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from otx_seg.hpo.halving import Halving
from otx_seg.hpo.trial import Outcome
from otx_seg.runtime.terminal import printable
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, Space
from otx_seg.workspace.own_files import damaged

T = TypeVar("T")

_JOURNAL = "journal.log"
_HALVING = "halving"
_LOOK = "first"
_LONGEST_TOLD = 200  # characters of what Optuna says
_KNOWN_SHARE = 1 / 3
"""Share of the trials that have to be known before scores say where to look; what is missing is drawn at random."""

_STEP = 0.25
"""How far the first trials are from trial 0, as a share of the range."""


class Study:
    """The trials of a search, on disk after every change.

    One process writes: it asks for values and records outcomes, whoever trains.

    Args:
        folder: of the search.
        space: what is searched.
        first: the values of trial 0, within the space or not.
        seed: of what is drawn.
        faster: whether values that learn faster than the first are tried before those that learn more slowly.
    """

    def __init__(self, folder: Path, space: Space, first: dict[str, Any], seed: int, faster: bool) -> None:
        self.space, self.first, self.seed, self.faster = space, first, seed, faster
        self.path = path = folder / _JOURNAL
        _repair(path)
        with self._asking():
            storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
            self.study = optuna.create_study(
                storage=storage, study_name="hpo", direction="maximize", load_if_exists=True
            )
            for values in self._around_first()[len(self.study.get_trials(deepcopy=False)) :]:
                self.study.enqueue_trial(values)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask Optuna, which says nothing of its own: the search tells what concerns a user.

        Raises:
            UsageError: in place of whatever Optuna stumbles over in a damaged journal.
        """
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except (ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
                told = printable(f"{type(error).__name__}: {error}", _LONGEST_TOLD).replace("\n", " ")
                raise damaged(self.path, told, "without it the search cannot resume: start a new run") from error
            finally:
                optuna.logging.set_verbosity(level)

    # ------------------------------------------------------------------ values

    def _around_first(self) -> list[dict[str, Any]]:
        """The values of the first trials: those of trial 0 and, as far as the space reaches, those with one of them
        changed to both sides, the learning rate before all others, since most depends on it.

        Random values differ in everything at once, and mostly by more than what may be gained.
        """
        start = {name: self._inside(name, value) for name, value in self.first.items()}
        found = [start, start] if self.starts_outside else [start]  # trial 0 has other values then
        for name in sorted(self.space, key=lambda name: name != LEARNING_RATE):
            up = 1 if self.faster == (name != BATCH_SIZE) else -1  # a small batch learns faster
            for turn in (up, -up):
                moved = self._moved(name, start[name], turn)
                if self._inside(name, moved) == moved:
                    found.append({**start, name: moved})
        return found

    def _moved(self, name: str, value: Any, up: int) -> Any:
        """The value that lies a step higher or lower (-1), within the space or not; a whole number at least by 1."""
        limits = self.space[name]
        if limits.log:
            moved = value * (limits.high / limits.low) ** (up * _STEP)
        else:
            moved = value + (limits.high - limits.low) * up * _STEP
        if not isinstance(self.first[name], int):
            return moved
        return value + up * max(1, abs(round(moved) - value))

    def _inside(self, name: str, value: Any) -> Any:
        """The value in the space that is nearest."""
        kind = type(self.first[name])
        return kind(min(max(value, self.space[name].low), self.space[name].high))

    @property
    def starts_outside(self) -> bool:
        """Whether trial 0 has values that lie outside of the space."""
        return any(self._inside(name, value) != value for name, value in self.first.items())

    def values(self, number: int, trials: int) -> dict[str, Any]:
        """The values of a trial; they are chosen when it is asked about for the first time, one trial after another.

        Args:
            trials: how many there will be.
        """
        with self._asking():
            suggested = self._ask(number, trials)
        return self.first if number == 0 else suggested

    def _ask(self, number: int, trials: int) -> dict[str, Any]:
        known = self.study.get_trials(deepcopy=False)
        if number < len(known) and known[number].state.is_finished():
            return {name: known[number].params[name] for name in self.space}
        # A generator of its own for each trial: an interrupted search goes on as if it had never stopped.
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
        enough = max(2, round(trials * _KNOWN_SHARE))
        self.study.sampler = optuna.samplers.TPESampler(n_startup_trials=enough, constant_liar=True, seed=seed)
        is_new = number >= len(known) or known[number].state == TrialState.WAITING
        # Killed while it was asked, a trial may lack some values: they are chosen now.
        trial = self.study.ask() if is_new else optuna.Trial(self.study, known[number]._trial_id)
        assert trial.number == number
        return {name: self._suggest(trial, name) for name in self.space}

    def _suggest(self, trial: optuna.Trial, name: str) -> Any:
        limits = self.space[name]
        if isinstance(self.first[name], int):
            return trial.suggest_int(name, int(limits.low), int(limits.high), log=limits.log)
        return trial.suggest_float(name, limits.low, limits.high, log=limits.log)

    # ------------------------------------------------------------------ outcomes

    def record(self, number: int, rung: int, outcome: Outcome) -> None:
        """Keep a trial's outcome at a rung; that at the first one tells where to look next."""
        with self._asking():
            if not self.study.get_trials(deepcopy=False)[number].state.is_finished():
                if number == 0 and self.starts_outside:
                    self.study.tell(number, state=TrialState.FAIL)  # says nothing about the space it lies outside
                elif outcome.score is None:
                    # Not FAIL, as if it had never been: the next trials should keep away from its values.
                    self.study.tell(number, state=TrialState.PRUNED)
                else:
                    self.study.tell(number, outcome.score)
            self.study.set_user_attr(_at(number, rung), asdict(outcome))

    def outcome(self, number: int, rung: int) -> Outcome | None:
        """What was recorded of a trial at a rung, if it came there."""
        return self._kept(_at(number, rung), lambda fields: Outcome(**fields))

    def outcomes(self, number: int) -> list[Outcome]:
        """What was recorded of a trial at each rung that it came to."""
        found: list[Outcome] = []
        while (outcome := self.outcome(number, len(found))) is not None:
            found.append(outcome)
        return found

    def look(self) -> Outcome | None:
        """How trial 0 did where it was paused for the first time, before the length of the search was settled."""
        return self._kept(_LOOK, lambda fields: Outcome(**fields))

    def record_look(self, outcome: Outcome) -> None:
        """Keep that, for others to be compared with."""
        self.study.set_user_attr(_LOOK, asdict(outcome))

    def halving(self) -> Halving | None:
        """The length that the search was given, once it is settled."""
        return self._kept(_HALVING, lambda fields: Halving(**{**fields, "rungs": tuple(fields["rungs"])}))

    def record_halving(self, halving: Halving) -> None:
        """Settle the length of the search."""
        self.study.set_user_attr(_HALVING, asdict(halving))

    def _kept(self, key: str, kind: Callable[[dict[str, Any]], T]) -> T | None:
        recorded = self.study.user_attrs.get(key)
        with self._asking():
            return None if recorded is None else kind(recorded)


def _at(number: int, rung: int) -> str:
    return f"trial {number}, rung {rung}"


def _repair(path: Path) -> None:
    """Take away what a killed process left: half a line, and the lock of one that wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for lock in path.parent.glob(f"{path.name}.*"):
        lock.unlink()
    if path.exists():
        whole, _, half = path.read_bytes().rpartition(b"\n")
        if half:
            path.write_bytes(whole + b"\n" if whole else b"")
