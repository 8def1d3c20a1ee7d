"""`data.json` in the folder of a run: which data it was trained on, for whoever goes on with it or measures it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, labels_to_plain
from otx_seg.runtime.plain_files import shown
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.own_files import damaged, read_own
from otx_seg.workspace.run_folder import RunFolder

SUBSETS = ("train", "val", "unlabelled")
"""The attributes that list files."""

_PATHS = (
    "train_root",
    "val_root",
    "unlabelled_root",
    "unlabelled_list",
    "train_annotations",
    "val_annotations",
    "load_weights",
)


@dataclass(frozen=True)
class RecordedData:
    """The data of a run; paths are absolute.

    Attributes:
        seed: of the run, by which it divided its images too.
        train_root, val_root, unlabelled_root, unlabelled_list: see `otx_seg.train`; None where nothing was given.
        data_format, train_annotations, val_annotations: how the labelled data was to be read.
        split: one sentence on where the validation images came from.
        train, val, unlabelled: the names of the files, in order.
        val_images: paths of the first validation images, see `COMPARED_IMAGES`.
        known_labels: those of the weights that the run started from, if they were a whole network's.
        deterministic: whether only deterministic GPU kernels were to be used.
        load_weights: the weights that the run began with; None where there were none.
    """

    seed: int
    train_root: Path
    val_root: Path | None
    unlabelled_root: Path | None
    unlabelled_list: Path | None
    split: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    unlabelled: tuple[str, ...]
    val_images: tuple[Path, ...]
    data_format: str | None = None
    train_annotations: Path | None = None
    val_annotations: Path | None = None
    known_labels: Labels | None = None
    deterministic: bool = False
    load_weights: Path | None = None

    def write(self, run: RunFolder) -> None:
        """Write it into the folder of a run."""
        plain = asdict(self)
        plain |= {name: None if plain[name] is None else str(plain[name].resolve()) for name in _PATHS}
        plain["val_images"] = [str(path.resolve()) for path in self.val_images]
        plain["known_labels"] = None if self.known_labels is None else labels_to_plain(self.known_labels)
        write_json(run.data, plain)

    def refuse_other_seed(self, asked: int | None) -> None:
        """
        Raises:
            UsageError: another seed than that of the run is asked for.
        """
        if asked not in (None, self.seed):
            raise UsageError(f"the run to go on with has seed {self.seed}, now {asked} is asked for")


def read_recorded(run: RunFolder) -> RecordedData:
    """What a run has written.

    Raises:
        UsageError: it is not there, or cannot be read.
    """
    advice = "without it the run's data is unknown: copy it back from where the run was made, or start a new run"
    recorded = read_own(run.data, RecordedData, advice)
    if not 0 <= recorded.seed < 1 << 32:
        raise damaged(run.data, f"seed is {shown(recorded.seed)}", advice)
    return recorded
