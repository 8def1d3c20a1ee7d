"""What an earlier training did with its data: which images it validated on, and by which seed it divided them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otx_seg.datasets import DataSpec, Fold, Subset, find_training, open_test
from otx_seg.datasets.label_map import OPTION, LabelMap
from otx_seg.errors import DataError, UsageError
from otx_seg.labels import Labels
from otx_seg.training.recorded_data import read_recorded
from otx_seg.workspace.run_folder import RunFolder, latest_weights


@dataclass(frozen=True)
class LastTraining:
    """A training that took the images it validated on from its own folder.

    Attributes:
        run: its folder.
        seed: by which it chose them.
        fold: which part of the images they are in a cross-validation; None outside of one.
        label_map: that it read its data through, or None.
    """

    run: RunFolder
    seed: int
    fold: Fold | None = None
    label_map: LabelMap | None = None


def last_training(outputs: Path, data: DataSpec) -> LastTraining | None:
    """The last training among the runs of a workspace, if it divided the images of this folder.

    Args:
        outputs: the folder of runs.
        data: the training data.
    """
    weights = latest_weights(outputs)
    return None if weights is None else training_of(weights, data)


def training_of(weights: Path, data: DataSpec | None = None) -> LastTraining | None:
    """The training that a file of weights is the result of, if it divided the images of this folder.

    Args:
        data: the training data; None: whatever it was.
    """
    run = RunFolder(weights.parent.parent)
    if run.weights != weights or not run.data.is_file():
        return None
    try:
        recorded = read_recorded(run)
        then = recorded.data
        now = then if data is None else data.resolved()
    except UsageError:
        return None  # the error is raised where the run is resumed
    divided = not then.validation_named and recorded.val
    same = (then.train_root, then.train_annotations) == (now.train_root, now.train_annotations)
    same = same and now.label_map in (None, then.label_map)
    same = same and (now.data_format is None or then.data_format in (None, now.data_format))
    return LastTraining(run, recorded.seed, recorded.fold, then.label_map) if divided and same else None


def hint_to_label_map(weights: Path) -> str:
    """What to do about labels that a model does not know, if the run that its file lies in has a label map, as the end
    of a message; else empty.
    """
    kept = RunFolder(weights.resolve().parent.parent).label_map
    return f"; it was trained through a label map: give {OPTION} {kept}" if kept.is_file() else ""


def refuse_unmapped(known: Labels, subset: Subset, files: Sequence[Path]) -> None:
    """
    Args:
        known: the labels of models.
        files: these models.

    Raises:
        UsageError: the data has labels that a model does not know, and was read through another label map than in its
            training.
    """
    unknown = next((name for name in subset.labels.names if name not in known.names), None)
    hint = next(filter(None, map(hint_to_label_map, files)), "")
    if unknown is not None and hint:
        raise UsageError(f"{subset.root}: the model does not know the label {unknown!r}{hint}")


def open_measured(spec: DataSpec, training: RunFolder | None, use_polygons: bool = False) -> Subset:
    """The images to test on; where there are none, those that a finished training took from its own to validate on,
    without reading any to divide them again.

    Raises:
        UsageError: the run's ``data.json`` cannot be read.
        DataError: the data cannot be used, or some of the images are gone.
    """
    if spec.test_root is not None:
        return open_test(spec, use_polygons)
    assert training is not None
    recorded = read_recorded(training)
    data = find_training(spec, use_polygons, recorded.fold)
    if data.val is not None:
        return data.val
    taken = set(recorded.val)
    found = data.train.without([sample.name for sample in data.train.samples if sample.name not in taken])
    if len(found) < len(taken):
        raise DataError(
            f"{data.train.root}: {len(taken) - len(found)} of the {len(taken)} images that {training.path} validated "
            "on no longer exist; name others with --test-data-roots"
        )
    return found
