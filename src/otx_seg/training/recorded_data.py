"""`data.json` in a run folder: the data it was trained on, for resuming and evaluation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from otx_seg.datasets import DataSpec, Fold
from otx_seg.datasets.label_map import OPTION, LabelMap
from otx_seg.errors import UsageError
from otx_seg.labels import Labels, labels_to_plain
from otx_seg.runtime.plain_files import shown
from otx_seg.workspace.atomic import write_json, write_text
from otx_seg.workspace.own_files import damaged, read_own
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.teacher_file import TeacherFile

SUBSETS = ("train", "val", "unlabelled")
"""The attributes that list files."""


@dataclass(frozen=True)
class RecordedData:
    """The data of a run; paths are absolute.

    Attributes:
        seed: of the run, by which it divided its images too.
        split: one sentence on where the validation images came from.
        train, val, unlabelled: the names of the files, in order.
        val_images: paths of the first validation images, see `COMPARED_IMAGES`.
        known_labels: those of the weights that the run started from, if they were a whole network's.
        deterministic: whether only deterministic GPU kernels were to be used.
        load_weights: the weights that the run began with; None where there were none.
        data: where the data was, and how it was to be read. Its attributes stand beside the others in the file.
        teacher: what the run learns from beside the masks, or None.
        fold: which part of the images it validates on in a cross-validation; None outside of one.
        last_round: folder of the training before, whose scores are of the same images, or None.
    """

    seed: int
    split: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    unlabelled: tuple[str, ...]
    val_images: tuple[Path, ...]
    known_labels: Labels | None = None
    deterministic: bool = False
    load_weights: Path | None = None
    data: DataSpec = field(default_factory=DataSpec)
    teacher: TeacherFile | None = None
    fold: Fold | None = None
    last_round: Path | None = None

    def write(self, run: RunFolder) -> None:
        """Write it into the folder of a run."""
        plain = {**asdict(self), **self.data.resolved().as_plain()}
        del plain["data"]
        plain["load_weights"] = None if self.load_weights is None else str(self.load_weights.resolve())
        if self.teacher is not None:
            plain["teacher"] = {"path": str(self.teacher.path), "digest": self.teacher.digest}
        plain["last_round"] = None if self.last_round is None else str(self.last_round.resolve())
        plain["val_images"] = [str(path.resolve()) for path in self.val_images]
        plain["known_labels"] = None if self.known_labels is None else labels_to_plain(self.known_labels)
        write_json(run.data, plain)
        if self.data.label_map is None:
            run.label_map.unlink(missing_ok=True)
        else:
            write_text(run.label_map, self.data.label_map.as_yaml())

    def refuse_other_seed(self, asked: int | None) -> None:
        """
        Raises:
            UsageError: another seed than that of the run is asked for.
        """
        if asked not in (None, self.seed):
            raise UsageError(f"the run to resume has seed {self.seed}, not {asked}")

    def refuse_other_label_map(self, asked: LabelMap | None) -> None:
        """
        Raises:
            UsageError: another label map than that of the run is asked for.
        """
        if asked not in (None, self.data.label_map):
            of_run = "has none" if self.data.label_map is None else f"has another one, {self.data.label_map.source}"
            raise UsageError(f"{OPTION} {asked.source}: the run to resume {of_run}; leave it out, or start a new run")


def read_recorded(run: RunFolder) -> RecordedData:
    """What a run has written.

    Raises:
        UsageError: it is missing, or cannot be read.
    """
    advice = "without it the run's data is unknown: copy it back from where the run was made, or start a new run"
    recorded = replace(read_own(run.data, RecordedData, advice), data=read_own(run.data, DataSpec, advice))
    if recorded.data.train_root is None:
        raise damaged(run.data, "train_root is missing", advice)
    if not 0 <= recorded.seed < 1 << 32:
        raise damaged(run.data, f"seed is {shown(recorded.seed)}", advice)
    if recorded.fold is not None and not 1 <= recorded.fold.number <= recorded.fold.of:
        raise damaged(run.data, f"fold is {shown(recorded.fold.number)} of {shown(recorded.fold.of)}", advice)
    return recorded
