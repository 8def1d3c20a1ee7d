"""What a tracker shows of a training, whatever program it is: parameters, values, pictures, a table and files."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from ssl import SSLError
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
from accelerate.tracking import GeneralTracker
from numpy.typing import NDArray

from otx_seg.inference.figures import confusion_figure, pixels_of
from otx_seg.metrics.confusion import Scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.metrics.watched import DICE, WATCHED
from otx_seg.training.loggers import Logger, StepReport, TrainResult, ValidationReport
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.own_files import read_own

logger = logging.getLogger(__name__)

PROJECT = "otx-seg"
"""What the runs are filed under, unless the user has told the program another name."""

_LONGEST_WAIT_S = 5.0


class Tracker(ABC):
    """Shows one run after another in a program; accelerate's tracker of the program does what it can.

    The constructor takes a folder that need not exist.

    Attributes:
        folder: for what the program writes to this machine.
        carrier: accelerate's tracker, from `begin` on.
    """

    carrier: GeneralTracker

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def title(self) -> str:
        """What people are told the run is called: its folder, and the one that holds it."""
        return "/".join(self.folder.parts[-4:-2])

    @abstractmethod
    def begin(self, step: int, run_id: str | None) -> str | None:
        """Open a run of the program, after this step of the training.

        Args:
            run_id: what `begin` gave for the run to go on with; None: there is none.

        Returns:
            By what the run is found again; None where the program itself takes back what comes after `step`.
        """

    def show_parameters(self, values: dict[str, Any]) -> None:
        """Say what the training is made with; at each begin."""
        self.carrier.store_init_configuration(values)

    def add_values(self, values: dict[str, float], step: int) -> None:
        """Add a point to each of these curves, called ``group/name`` or ``name``."""
        self.carrier.log(values, step=step)

    @abstractmethod
    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Show a picture, uint8 (H, W, 3) RGB, called ``group/name``."""

    @abstractmethod
    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        """Show a table."""

    @abstractmethod
    def add_file(self, path: Path) -> None:
        """Keep a copy of a file, or say where it is."""

    def end(self, finished: bool) -> None:
        """Close the run.

        Args:
            finished: the training came to its end.
        """
        self.carrier.finish()


@dataclass(frozen=True)
class _Shown:
    """The run of the program, and the last step and validation that it was told."""

    run_id: str | None
    step: int = 0
    validation: int = 0


class TrackedRun(Logger):
    """Tells a tracker what a training reports.

    Most programs keep what they were told. So a file in the tracker's folder says how far they know the training, and
    steps that a resumed training repeats are not told again.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.parameters = tracker, dict[str, Any]()
        self._record = tracker.folder / "run.json"
        self._begun = self._repeated = self._shown = _Shown(None)
        self._is_open = self._finished = False

    def on_parameters(self, values: dict[str, Any]) -> None:
        self.parameters = values

    def on_begin(self, step: int) -> None:
        self.tracker.folder.mkdir(parents=True, exist_ok=True)
        known = _Shown(None)
        if self._record.exists():
            known = read_own(self._record, _Shown, "delete it; the tracker then begins another run")
        run_id = self.tracker.begin(step, known.run_id)
        self._is_open = True
        self._shown = self._repeated = known if known.run_id == run_id else _Shown(run_id)
        self._begun = _Shown(run_id, step, step)
        self._note()
        self.tracker.show_parameters(self.parameters)

    def on_step(self, report: StepReport) -> None:
        if not report.is_written or self._begun.step < report.step <= self._repeated.step:
            return
        losses = {f"losses/{name}": value for name, value in report.losses.items()}
        self.tracker.add_values({"learning_rate": report.learning_rate, **losses}, report.step)
        self._note(step=report.step)

    def on_validation(self, report: ValidationReport) -> None:
        if self._begun.validation < report.step <= self._repeated.validation:
            return
        for picture in report.pictures():
            drawn = np.hstack(picture.drawn())
            self.tracker.add_picture(f"image, truth, prediction/{picture.name}", drawn, report.step)
        found = report.scores
        dice = {f"Dice/{name}": score.dice for name, score in found.per_label.items()}
        iou = {f"IoU/{name}": score.iou for name, score in found.per_label.items()}
        self.tracker.add_values({**_means("scores", found), **dice, **iou}, report.step)
        self._note(validation=report.step)

    def on_end(self, result: TrainResult | None) -> None:
        if result is None:
            self.on_close()
            return
        self._finished = True
        if result.scores is not None:
            self.tracker.add_values(_means("kept network", result.scores), result.steps)
        if result.counted is not None:
            self._add_confusions(result.counted, result.steps)

    def _add_confusions(self, counted: CountedImages, step: int) -> None:
        names = counted.labels.names
        rows = zip(names, counted.pixels.confusion.tolist(), strict=True)
        self.tracker.add_picture("confusion matrix/kept network", pixels_of(confusion_figure(counted)), step)
        self.tracker.add_table("confusion", ("true", *names), [(name, *row) for name, row in rows], step)

    def on_report(self, path: Path) -> None:
        self.tracker.add_file(path)

    def on_close(self) -> None:
        if self._is_open:
            self._is_open = False
            self.tracker.end(self._finished)

    def _note(self, **at: int) -> None:
        """Write down how far the program knows the training, where it keeps that."""
        self._shown = _Shown(**{**asdict(self._shown), **at})
        if self._shown.run_id is not None:
            write_json(self._record, asdict(self._shown))


def _means(group: str, found: Scores) -> dict[str, float]:
    means = {metric.name: metric.of(found) for metric in WATCHED.values()}
    means["Dice Average"] = means.pop(DICE.name)
    return {f"{group}/{name}": value for name, value in means.items()}


def tell_offline(name: str, reason: str, folder: Path, later: str) -> None:
    """Say that a tracker writes to this machine alone.

    Args:
        later: what sends it, or shows it.
    """
    logger.info("tracker %s: %s, so it writes to %s; %s", name, reason, folder, later)


def tell_page(name: str, url: str) -> None:
    """Say where a tracker shows the training."""
    logger.info("tracker %s: %s", name, url)


def answers(url: str) -> bool:
    """Whether a server answers at all, within seconds: the programs themselves wait for it much longer.

    Args:
        url: anything but ``http...`` counts as one that does.
    """
    if not url.startswith("http"):
        return True
    try:
        urlopen(Request(url, method="HEAD"), timeout=_LONGEST_WAIT_S).close()
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, SSLError)  # the programs know certificates that Python does not
    except OSError:
        return False
    return True
