"""What the report of a run is made from, as a file in its folder: `RunFolder.page_record`.

A run that others are part of has a record that names their folders: what it does not know itself is taken from theirs.
"""

from __future__ import annotations

import platform
import shlex
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.reliability import Reliability
from otx_seg.training.devices import describe_device
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import RunFolder

_REPORTED_PACKAGES = ("otx-seg", "torch", "mmsegmentation", "openvino", "nncf", "datumaro", "numpy")


@dataclass(frozen=True)
class Environment:
    """Where and how a command was run.

    Attributes:
        date: ISO 8601, with the time zone.
        folder: the current folder.
        command: as it was typed.
        machine: operating system, processor, and what trains.
        versions: of packages, by their names.
    """

    date: str
    folder: str
    command: str
    machine: str
    versions: dict[str, str]

    def lines(self) -> list[str]:
        """One text for each fact."""
        named = {name: value for name, value in asdict(self).items() if name != "versions"}
        return [f"{name}: {value}" for name, value in {**named, **self.versions}.items()]


def environment_now() -> Environment:
    """That of this process."""
    from otx_seg.deployment.benchmark.variants import processor_name  # loads OpenVINO

    program = "otx" if Path(sys.argv[0]).name in ("otx", "__main__.py") else sys.argv[0]
    return Environment(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        folder=str(Path.cwd()),
        command=shlex.join([program, *sys.argv[1:]]),
        machine=f"{platform.platform()}, {processor_name()}, {describe_device()}, Python {platform.python_version()}",
        versions={package: version(package) for package in _REPORTED_PACKAGES},
    )


@dataclass(frozen=True)
class ShownImage:
    """An image of the report.

    Attributes:
        name: path of the image in its subset.
        rank: ``worst``, ``median`` or ``best``.
        dice: of this image, 0..1.
        file: begin of the names of its four pictures, see `otx_seg.report.run_report.pictures`.
        labels: indices of the labels that its truth or its prediction shows.
        wrong: share of its labelled pixels that are predicted wrong, 0..1.
    """

    name: str
    rank: str
    dice: float
    file: str
    labels: tuple[int, ...]
    wrong: float


@dataclass(frozen=True)
class Evaluated:
    """A model on labelled images.

    Attributes:
        model: what it is called, and what runs it.
        images: how many there are, and what they are called: ``101 validation images``.
        labels: those of the model.
        scores: as in ``performance.json``, see `Scores.as_json`.
        confusion: pixels (K, K), rows truth, columns prediction.
        shown: some of the images.
        seconds_per_image: in the network alone; None where it was not measured.
        reliability: of its confidences; None where it was not measured.
    """

    model: str
    images: int
    images_are: str
    labels: Labels
    scores: dict[str, Any]
    confusion: tuple[tuple[int, ...], ...]
    shown: tuple[ShownImage, ...] = ()
    seconds_per_image: float | None = None
    reliability: Reliability | None = None


@dataclass(frozen=True)
class Trained:
    """How a training went.

    Attributes:
        template, summary: its name, and the line that describes it.
        kind: of training, and why.
        origin: how the weights began.
        kept: which network was kept, and why.
        epochs, steps, elapsed_s, reason: see `TrainResult`.
        backbone: whether there were no labels, so that what was trained is a backbone alone.
        temperature: of the calibration of its confidences.
    """

    template: str
    summary: str
    kind: str
    origin: str
    kept: str
    epochs: int
    steps: int
    elapsed_s: float
    reason: str
    backbone: bool = False
    temperature: float = 1.0


@dataclass(frozen=True)
class Finding:
    """Something about the data, see `Problem`."""

    severity: str
    what: str
    advice: str


@dataclass(frozen=True)
class UsedData:
    """The data of a training.

    Attributes:
        folder: the training data.
        split: where the validation images came from.
        images: their number by what they are used for.
        shares: of the labelled pixels of the training images, 0..1, by label.
        findings: what is to be known about it.
    """

    folder: str
    split: str
    images: dict[str, int]
    shares: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ModelRow:
    """One of the models that are compared.

    Attributes:
        name: what runs it, and its precision.
        file: where it is.
        dice: 0..1.
        size: bytes of its file or files.
        latency: seconds for one image, median.
    """

    name: str
    file: str
    dice: float
    size: int
    latency: float


@dataclass(frozen=True)
class LastRound:
    """An earlier training on the same validation images, and what has changed since.

    Attributes:
        run: its folder.
        images: the number of images, in words.
        dice: the Dice then and now, 0..1.
        labels: the Dice of each label then and now, in label order.
        files: the Dice of each image then and now by its name, the one that lost most first.
        masks_changed: whether the masks of these images are others than then, so that the figures cannot be compared.
        standard_error: of the difference in Dice, as other images of the same kind would change it; None: unknown.
        few_images: whether there are too few of them to prove anything.
        continued: whether this training began with the weights of that one, so that it trained for longer in all.
    """

    run: str
    images: str
    dice: tuple[float, float]
    labels: dict[str, tuple[float, float]]
    files: dict[str, tuple[float, float]]
    masks_changed: bool = False
    standard_error: float | None = None
    few_images: bool = False
    continued: bool = False


@dataclass(frozen=True)
class RunRecord:
    """All of it; what a verb knows nothing of is None or empty.

    Attributes:
        verb: the command.
        findings: of a check of the data; they replace those in `data`.
        parts: folders of other runs, relative to this one, whose records have more.
        last_round: what it is compared with.
    """

    verb: str
    environment: Environment
    evaluated: Evaluated | None = None
    trained: Trained | None = None
    data: UsedData | None = None
    models: tuple[ModelRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    parts: tuple[str, ...] = ()
    last_round: LastRound | None = None

    def write(self, run: RunFolder) -> None:
        """Write it into the folder of its run."""
        write_json(run.page_record, asdict(self))


@dataclass(frozen=True)
class Sources:
    """A record with what it took from its parts, and the runs that these were.

    Attributes:
        record: complete.
        run: whose report it is.
        evaluated, trained: the runs that tell of evaluation and training; None where none does.
    """

    record: RunRecord
    run: RunFolder
    evaluated: RunFolder | None
    trained: RunFolder | None


def read_sources(run: RunFolder) -> Sources:
    """What the report of a run is made from.

    Raises:
        UsageError: there is no record, or one is damaged.
    """
    record = read_record(run)
    runs = [run, *(RunFolder(run.path / part) for part in record.parts)]
    records = [record, *(read_record(part) for part in runs[1:])]

    def first(attribute: str) -> tuple[Any, RunFolder | None]:
        found = ((getattr(each, attribute), at) for each, at in zip(records, runs, strict=True))
        return next((pair for pair in found if pair[0]), (None, None))

    evaluated, trained = first("evaluated"), first("trained")
    of_training = next((each.data for each in records if each.trained and each.data), None)
    complete = replace(
        record,
        evaluated=evaluated[0],
        trained=trained[0],
        data=of_training or first("data")[0],
        models=first("models")[0] or (),
        last_round=first("last_round")[0],
    )
    return Sources(complete, run, evaluated[1], trained[1])


def read_record(run: RunFolder) -> RunRecord:
    """What a run has written for its report.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    if not run.page_record.is_file():
        raise UsageError(
            f"{run.path}: has nothing to report; name the folder of a finished `otx train`, `eval`, `optimize`, `run` "
            "or `quickstart`"
        )
    record = read_own(run.page_record, RunRecord, "run the command again whose folder it is")
    for part in record.parts:
        if Path(part).is_absolute() or ".." in Path(part).parts:
            raise UsageError(f"{run.page_record}: names the folder {part}, which is not in {run.path}")
    return record
