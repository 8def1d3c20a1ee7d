"""The folder a command writes to, and the name of every file in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import TypeVar

from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.plain_files import read_text
from otx_seg.workspace.data_folders import refuse_among_data
from otx_seg.workspace.workspace import OUTPUTS, WORKSPACE, Workspace, workspace_around

LATEST = "latest_trained_model"

JOB_STATE = "run.json"
"""In the folder of an `otx run`: what was asked for, and which steps are done."""

COMPARED_IMAGES = 8
"""As many validation images show whether an exported model agrees with the network; `data.json` tells their paths."""


@dataclass(frozen=True)
class RunFolder:
    """The file names of one run; asking for a name creates nothing.

    Attributes:
        made: the folder and those above it that `open_run` created, the outermost first.
        weights_name: where in it the best network of a training is.
        identity: what tells the folder that `open_run` found or made from another one of this name.
    """

    path: Path
    made: tuple[Path, ...] = ()
    weights_name: str = "models/weights.pth"
    identity: tuple[int, int] | None = None

    @property
    def template(self) -> Path:
        """The resolved template, written before training starts."""
        return self.path / "template.yaml"

    @property
    def weights(self) -> Path:
        """The best network of a training run."""
        return self.path / self.weights_name

    @property
    def label_schema(self) -> Path:
        return self.path / "models" / "label_schema.json"

    @property
    def checkpoint(self) -> Path:
        """All that a resumed training needs."""
        return self.path / "logs" / "checkpoint" / "state.pth"

    def best_network(self, step: int) -> Path:
        """One of the networks whose mean is tried at the end of a training, as it was after a step."""
        return self.checkpoint.with_name(f"best_{step}.pth")

    def best_networks(self) -> list[Path]:
        """Those that are there."""
        return sorted(self.checkpoint.parent.glob("best_*.pth"))

    @property
    def metrics(self) -> Path:
        """One JSON object per line: training losses and validation scores."""
        return self.path / "logs" / "metrics.jsonl"

    @property
    def curves(self) -> Path:
        return self.path / "logs" / "curves.png"

    @property
    def pictures(self) -> Path:
        """Pictures of a training run at its improvements, see `otx_seg.training.picture_rows`."""
        return self.path / "logs" / "pictures"

    @property
    def trackers(self) -> Path:
        """Holds a folder for each tracker of a training run, called like it."""
        return self.path / "trackers"

    @property
    def log(self) -> Path:
        """Messages and tracebacks."""
        return self.path / "logs" / "otx.log"

    @property
    def data(self) -> Path:
        """The data roots and the files of each subset of a training run."""
        return self.path / "data.json"

    @property
    def label_map(self) -> Path:
        """A copy of the label map of a training run, if it has one; `data` has its content too."""
        return self.path / "label_map.yaml"

    @property
    def decisions(self) -> Path:
        """What a training run decided by itself, and why."""
        return self.path / "auto_configuration.json"

    @property
    def region_masks(self) -> Path:
        """The pseudo-masks of self-supervised training; the runs of a workspace share them."""
        return (workspace_around(self.path) or self.path) / "detcon_mask"

    @property
    def search(self) -> Path:
        """What a search for hyper-parameters leaves."""
        return self.path / "hpo"

    @property
    def search_settings(self) -> Path:
        """How a run's search is made; there is one where the run was started with a search."""
        return self.search / "search.json"

    @property
    def trials(self) -> Path:
        """The trials of a finished search."""
        return self.search / "trials.json"

    def trial(self, number: int) -> RunFolder:
        """The folder of a trial of the search."""
        return RunFolder(self.search / "trials" / str(number))

    @property
    def rate_range(self) -> Path:
        """The losses of a learning-rate range test."""
        return self.path / "learning_rate.csv"

    @property
    def rate_picture(self) -> Path:
        """A picture of them."""
        return self.path / "learning_rate.png"

    def fold(self, number: int) -> RunFolder:
        """The folder of a fold of a cross-validation, numbered from 1."""
        return RunFolder(self.path / f"fold-{number}")

    @property
    def cross_validation(self) -> Path:
        """Mean and spread of the scores over the folds of a cross-validation."""
        return self.path / "cross_validation.json"

    @property
    def report(self) -> Path:
        return self.path / "cli_report.log"

    @property
    def page(self) -> Path:
        """The report that people look at."""
        return self.path / "report.html"

    @property
    def page_record(self) -> Path:
        """What `page` is made from, beside the other files of the run; its pictures lie in the same folder."""
        return self.path / "logs" / "report" / "report.json"

    @property
    def performance(self) -> Path:
        return self.path / "performance.json"

    @property
    def image_scores(self) -> Path:
        """The scores of each image that `performance` summarises."""
        return self.path / "per_image.csv"

    @property
    def confusions(self) -> Path:
        """A picture of the labels that are taken for each other."""
        return self.path / "confusion.png"

    def check_there(self) -> None:
        """Make sure that the folder is still the one that was opened.

        Raises:
            FolderGoneError: it was deleted, emptied, renamed or replaced, so that what is written would be half a run.
        """
        if self.identity is None:
            return
        if _identity(self.path) != self.identity or not (self.log.exists() or self.template.exists()):
            gone = f"{self.path}: was deleted, emptied, renamed or replaced while otx was working there"
            raise FolderGoneError(gone, "the same command, given again")


Total = TypeVar("Total", int, int | None)


def watched(run: RunFolder, progress: Callable[[int, Total], None] | None) -> Callable[[int, Total], None]:
    """`progress` that also makes sure, each time, that the folder is there, see `RunFolder.check_there`."""

    def report(done: int, total: Total) -> None:
        run.check_there()
        if progress is not None:
            progress(done, total)

    return report


class FolderGoneError(OtxError):
    """The folder of a run no longer exists."""


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@dataclass(frozen=True)
class Destination:
    """Where a command was told to write.

    Attributes:
        output: the folder asked for, or None for a new one in `outputs`.
        overwrite: replace a result that `output` already holds.
        outputs: the workspace's folder of runs.
    """

    output: str | Path | None = None
    overwrite: bool = False
    outputs: Path = WORKSPACE / OUTPUTS

    @property
    def named(self) -> RunFolder | None:
        """The folder asked for, whatever it holds."""
        return None if self.output is None else RunFolder(Path(self.output))


def open_run(
    to: Destination, verb: str, products: tuple[str, ...] = (), data_roots: tuple[Path, ...] = (), go_on: str = ""
) -> RunFolder:
    """Choose and create the folder a command writes to.

    Args:
        verb: name of the command, part of a new folder's name.
        products: names of files and folders whose presence means that a folder already holds such a result.
        data_roots: data folders, in which nothing is written.
        go_on: the command that continues with such a result, if there is one.

    Raises:
        UsageError: the folder already holds a result that is not to be replaced, or is a file or a workspace; or it,
            or the workspace, would lie in a data folder.
        OtxError: the folder cannot be written to.
    """
    output = choose_folder(to, verb, data_roots)
    held = [name for name in products if (output / name).exists()]
    if held and not to.overwrite:
        raise UsageError(
            f"{output}: already holds a result ({held[0]}); choose another --output, or allow replacing it "
            f"with --overwrite{go_on and f'; resume it with: {go_on}'}"
        )
    made = tuple(folder for folder in (*reversed(output.parents), output) if not folder.exists())
    try:
        output.mkdir(parents=True, exist_ok=to.output is not None)
        probe = output / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        if to.output is None and isinstance(error, FileExistsError) and output.is_dir():  # by another process, just now
            return open_run(to, verb, products, data_roots, go_on)
        raise OtxError(f"{output}: cannot write there ({error.strerror}); choose another --output") from error
    return RunFolder(output, made, identity=_identity(output))


def choose_folder(to: Destination, verb: str, data_roots: tuple[Path, ...] = ()) -> Path:
    """The folder a command will write to; nothing is created.

    Args:
        verb, data_roots: see `open_run`.

    Raises:
        UsageError: it is a file or a workspace, or would lie in a data folder.
    """
    stamp = datetime.now().strftime("%Y%m%d_%H%M%S")
    output = free_place(to.outputs / f"{stamp}_{verb}") if to.output is None else Path(to.output)
    refuse_among_data(output, filter(Path.is_dir, data_roots), "give an --output elsewhere")
    if not Workspace(output).missing:
        raise UsageError(f"{output}: is a workspace; choose another --output, such as {output / OUTPUTS / verb}")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output}: --output names a file; name a folder")
    return output


def free_place(folder: Path) -> Path:
    """A folder that is missing: this one, or one beside it with a number from 2 on behind the name."""
    names = chain([folder.name], (f"{folder.name}_{number}" for number in count(2)))
    return next(place for place in map(folder.with_name, names) if not place.exists())


def point_latest(run: RunFolder, part_of: Path | None = None) -> None:
    """Let the workspace's `latest_trained_model` point to this run: a link, or a text file where links are refused.

    A run outside a workspace's `outputs` folder leaves no pointer.

    Args:
        part_of: the run folder of `otx run` that this one is in.
    """
    among = part_of or run.path
    if workspace_around(among.resolve()) is None:
        return
    pointer = among.parent / LATEST
    target = run.path.relative_to(among.parent)
    pointer.unlink(missing_ok=True)
    try:
        pointer.symlink_to(target, target_is_directory=True)
    except OSError:
        pointer.write_text(target.as_posix(), encoding="utf-8")


def folds_in(folder: str | Path) -> list[RunFolder]:
    """The folds of a cross-validation that have begun, in a folder that may be missing."""
    runs = [RunFolder(path) for path in Path(folder).glob("fold-*")]
    return sorted((run for run in runs if run.data.is_file() and run.template.is_file()), key=lambda run: run.path)


def latest_weights(outputs: Path = WORKSPACE / OUTPUTS) -> Path | None:
    """The weights of the last training run in a workspace's folder of runs, if there are any."""
    pointer = outputs / LATEST
    if pointer.is_file():
        pointer = pointer.parent / read_text(pointer, UsageError, 1 << 16).strip()
    weights = RunFolder(pointer).weights
    return weights if weights.is_file() else None


def delete_tensors(folder: Path) -> None:
    """Delete weights and checkpoints in a folder and below."""
    for file in folder.rglob("*.pth"):
        file.unlink()
