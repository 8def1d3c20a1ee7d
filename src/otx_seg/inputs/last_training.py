"""What an earlier training did with its data: which images it validated on, and by which seed it divided them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import HowToRead, Subset, TrainingData
from otx_seg.errors import DataError, UsageError
from otx_seg.workspace.recorded_data import read_recorded
from otx_seg.workspace.run_folder import RunFolder, latest_weights


@dataclass(frozen=True)
class LastTraining:
    """A training that took the images it validated on from its own folder.

    Attributes:
        run: its folder.
        seed: by which it chose them.
    """

    run: RunFolder
    seed: int


def last_training(outputs: Path, train_root: Path, how: HowToRead) -> LastTraining | None:
    """The last training among the runs of a workspace, if it divided the images of this folder.

    Args:
        outputs: the folder of runs.
        train_root: the folder of the training data.
        how: how it is read.
    """
    weights = latest_weights(outputs)
    if weights is None:
        return None
    run = RunFolder(weights.parents[1])
    try:
        recorded = read_recorded(run)
    except UsageError:
        return None  # the error is raised where the run is resumed
    divided = recorded.val_root is None and recorded.val_annotations is None and recorded.val
    file = None if how.train_annotations is None else how.train_annotations.resolve()
    same = (recorded.train_root, recorded.train_annotations) == (train_root.resolve(), file)
    same = same and (how.data_format is None or recorded.data_format in (None, how.data_format))
    return LastTraining(run, recorded.seed) if divided and same else None


def recorded_validation(run: RunFolder, data: TrainingData) -> Subset:
    """The images that a finished training validated on, without reading any to divide them again.

    Args:
        data: where the training found its images, see `find_training`.

    Raises:
        UsageError: the run's ``data.json`` cannot be read.
        DataError: some of the images are gone.
    """
    if data.val is not None:
        return data.val
    taken = set(read_recorded(run).val)
    found = data.train.without([sample.name for sample in data.train.samples if sample.name not in taken])
    if len(found) < len(taken):
        raise DataError(
            f"{data.train.root}: {len(taken) - len(found)} of the {len(taken)} images that {run.path} validated on are "
            "not there any more; name others with --test-data-roots"
        )
    return found
