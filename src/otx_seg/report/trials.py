"""The trials of a search for hyper-parameters: as a file, and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from otx_seg.report.progress import format_duration
from otx_seg.report.tables import as_text, table
from otx_seg.template.plain_names import in_short
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.own_files import damaged, read_own

_ADVICE = "start a new run"


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        values: its hyper-parameters, by dotted name.
        scores: its validation mDice (background included) at each rung it came to.
        outcome: ``chosen``, ``stopped`` or ``failed`` (on its way, or in the final training).
        failure: why it failed; empty if it did not.
        seconds: of training, until it was stopped or chosen.
        process: that trained it last.
    """

    number: int
    values: dict[str, Any]
    scores: tuple[float, ...]
    outcome: str
    failure: str
    epochs: int
    steps: int
    seconds: float
    process: int


@dataclass(frozen=True)
class Trials:
    """A finished search.

    Attributes:
        ratio: time of search and training together as a multiple of the training's, at most.
        rungs: shares of a training at which trials were stopped.
        chosen: number of the trial that went on; 0 is the one with the values the search began with.
    """

    ratio: float
    rungs: tuple[float, ...]
    chosen: int
    trials: tuple[Trial, ...]

    @property
    def chosen_trial(self) -> Trial:
        return next(trial for trial in self.trials if trial.number == self.chosen)

    def comparison(self) -> tuple[float, float, float] | None:
        """Where the values of trial 0 were stopped: share of a training, mDice of the chosen ones and of these.

        None if these were chosen, or failed.
        """
        given = next(trial for trial in self.trials if trial.number == 0)
        if self.chosen == 0 or given.outcome == "failed":
            return None
        rung = len(given.scores) - 1
        return self.rungs[rung], self.chosen_trial.scores[rung], given.scores[rung]


def write_trials(path: Path, found: Trials) -> None:
    """Write a search as JSON."""
    write_json(path, asdict(found))


def read_trials(path: Path) -> Trials:
    """Read what `write_trials` wrote.

    Raises:
        UsageError: the file is missing, or damaged.
    """
    found = read_own(path, Trials, _ADVICE)
    numbers = [trial.number for trial in found.trials]
    if (
        found.chosen not in numbers
        or 0 not in numbers
        or any(len(one.scores) > len(found.rungs) for one in found.trials)
    ):
        raise damaged(path, "its trials do not fit each other", _ADVICE)
    try:
        found.comparison()
    except IndexError as error:
        raise damaged(path, "its trials lack scores", _ADVICE) from error
    return found


def describe_trials(found: Trials) -> str:
    """The table of all trials, and a sentence on the gain."""
    names = [in_short(name) for name in found.chosen_trial.values]
    judged = [f"at {100 * rung:.0f} %" for rung in found.rungs]
    rows = [
        (
            f"{trial.number}{' (start)' if trial.number == 0 else ''}",
            *(_short(value) for value in trial.values.values()),
            *(f"{score:.4f}" for score in trial.scores),
            *("" for _ in range(len(found.rungs) - len(trial.scores))),
            trial.epochs,
            format_duration(trial.seconds),
            trial.outcome,
        )
        for trial in found.trials
    ]
    made = table(
        ("trial", *names, *judged, "epochs", "time", ""), rows, "Trials: validation mDice at shares of a training"
    )
    return f"{as_text(made)}{_outcome(found)}"


def describe_values(values: Mapping[str, Any]) -> str:
    """Hyper-parameters in a few words, without their groups."""
    return ", ".join(f"{in_short(name)} {_short(value)}" for name, value in values.items())


def _outcome(found: Trials) -> str:
    values = describe_values(found.chosen_trial.values)
    if found.chosen == 0:
        return f"chosen: the values the search began with ({values}); no others were clearly better"
    compared = found.comparison()
    if compared is None:
        return f"chosen: trial {found.chosen} ({values}); the values the search began with failed"
    share, now, before = compared
    return (
        f"chosen: trial {found.chosen} ({values}): mDice {now:.4f} at {100 * share:.0f} % of a training, where the "
        f"values the search began with had {before:.4f}"
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
