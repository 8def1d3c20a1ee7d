"""`data.json` in the folder of a run: which data it was trained on, for whoever goes on with it or measures it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, labels_from_plain, labels_to_plain
from otx_seg.workspace.atomic import write_json
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
        load_weights: the weights that were fine-tuned; None for a training.
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
    try:
        plain = json.loads(run.data.read_text(encoding="utf-8"))
        plain = {field.name: plain[field.name] for field in fields(RecordedData) if field.name in plain}
        plain |= {name: Path(plain[name]) for name in _PATHS if plain.get(name) is not None}
        plain |= {name: tuple(plain[name]) for name in SUBSETS}
        plain |= {"seed": int(plain["seed"]), "val_images": tuple(map(Path, plain["val_images"]))}
        if plain.get("known_labels") is not None:
            plain["known_labels"] = labels_from_plain(plain["known_labels"])
        return RecordedData(**plain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{run.data}: cannot be read, so the run's data is unknown ({error})") from error
