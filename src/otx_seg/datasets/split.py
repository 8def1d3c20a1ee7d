"""Which images are trained on, validated on and tested on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from otx_seg.annotations.samples import Subset
from otx_seg.datasets.chosen_subset import TRAINED_ON, VALIDATED_ON, open_chosen
from otx_seg.datasets.data_spec import DataSpec
from otx_seg.datasets.folds import Fold, deal_into_folds
from otx_seg.datasets.joined import with_additions
from otx_seg.datasets.opening import find_subsets
from otx_seg.datasets.scan import Progress, ScanReport, counter, readable_samples, scan
from otx_seg.datasets.stratification import choose_validation
from otx_seg.datasets.unlabelled import ImageSet
from otx_seg.errors import DataError, UsageError
from otx_seg.formats.layouts.folder import DEFAULT_SUBSET
from otx_seg.words import count, listed

DEFAULT_SEED = 42
"""Seed of everything random where none is given; one for all commands, so that they split data alike."""

VAL_SHARE = 0.2
"""Share of the training images to validate on where no others are given."""

Use = Literal["training", "validation", "test", "nothing"]
"""What training and evaluation use a subset for."""


@dataclass(frozen=True)
class TrainingData:
    """Attributes:
    train: the images to train on.
    val: the images to validate on, same labels as `train`; None for self-supervised training, and as long as
        `split_training` has not taken them from `train`.
    split: one sentence on where `val` came from, for people; as long as it is None the end of that sentence.
    unlabelled: images without masks to learn from, if there are any.
    skipped: one message for each file that was left out when they were looked through.
    new: the samples of `train` that show labels new to a network that knows others of them already.
    scorable: whether `val` shows a label that scores count; else they cannot tell one network from another.
    shown_labels: how many labels `val` shows, background included; None as long as nobody has looked.
    """

    train: Subset
    val: Subset | None
    split: str
    unlabelled: ImageSet | None = None
    skipped: tuple[str, ...] = ()
    new: tuple[int, ...] = ()
    scorable: bool = True
    shown_labels: int | None = None

    @property
    def labels_in_mean(self) -> int:
        """How many labels the means of validation scores are taken over, background included."""
        return len(self.train.labels) if self.shown_labels is None else self.shown_labels


def open_training(
    spec: DataSpec,
    seed: int,
    use_polygons: bool = False,
    progress: Progress | None = None,
    fold: Fold | None = None,
) -> TrainingData:
    """The images to train on and to validate on: `find_training`, then `split_training` where it is necessary.

    Only then are the masks read; images that cannot be decoded are left out meanwhile, so that this and a training
    split alike.

    Args:
        spec, use_polygons: see `find_training`.
        seed: see `split_training`.
        progress: called with what is being done, and the numbers of images read and to read, where they have to be.
        fold: see `find_training`.

    Raises:
        DataError: unusable data, labels that differ, or a single image that cannot be split.
    """
    data = find_training(spec, use_polygons, fold)
    if data.val is not None:
        return data
    report = scan(data.train, counter("checking the training images", len(data.train), progress))
    data = replace(data, train=readable_samples(data.train, report))
    assert spec.train_root is not None
    return split_training(data, report, spec.train_root, seed, fold=fold)[0]


def find_training(spec: DataSpec, use_polygons: bool = False, fold: Fold | None = None) -> TrainingData:
    """The images to train on and, if there are some apart, those to validate on.

    1. Trained on is the subset train of `train_root`, else the images directly in it, else its only subset.
    2. Validated on is the subset val of `val_root`, else the images directly in it, else its only subset; where only a
       file of annotations is given for validation, `train_root` holds its images too.
    3. Without either: those that `val_names` names, else the subset val of `train_root` if there is one,
    4. else nothing yet, see `split_training`.
    5. What came to the training data later is trained on too, see `with_additions`.

    Args:
        spec: where the data is; what is for other purposes is not looked at.
        use_polygons: send the masks through `polygon_round_trip`.
        fold: of the images to train on, which is validated on, so that no others are looked for.

    Raises:
        UsageError: see `open_folder`.
        DataError: unusable data (see `open_folder`), labels that differ, or a single image that cannot be split.
    """
    data = _find_first(spec, use_polygons, fold)
    if not spec.added:
        return data
    train = with_additions(data.train, spec.added, use_polygons)
    return replace(data, train=train, val=None if data.val is None else data.val.with_labels(train.labels))


def _find_first(spec: DataSpec, use_polygons: bool, fold: Fold | None) -> TrainingData:
    """As `find_training`, without what was added."""
    train_root = spec.train_root
    assert train_root is not None
    subsets = find_subsets(train_root, spec.data_format, spec.train_annotations, spec.label_map)
    train_name, train = open_chosen(train_root, subsets, TRAINED_ON, "train on", use_polygons)
    if spec.validation_named:
        val_root = spec.val_root or train_root
        subsets = find_subsets(val_root, spec.data_format, spec.val_annotations, spec.label_map)
        val_name, val = open_chosen(val_root, subsets, VALIDATED_ON, "validate on", use_polygons)
        split = f"validation: {len(val)} images of {_place(val_root, val_name)}, as given"
        if _same_files(train, val):
            split += "; these are also the training images, so the scores will be too high"
    elif spec.val_names and fold is None:
        train, val = _named_apart(train, spec.val_names, train_root)
        split = f"validation: {len(val)} images of {train_root}, the same ones as before more data was added"
    elif train_name != "val" and "val" in subsets and fold is not None:
        return TrainingData(train, None, f"; the subset val in {train_root} is not used")
    elif train_name != "val" and "val" in subsets:
        _, val = open_chosen(train_root, subsets, ("val",), "validate on", use_polygons)
        split = f"validation: {len(val)} images of the subset val in {train_root}"
    else:
        _refuse_single(train, train_root)
        return TrainingData(train, None, "")
    check_same_labels(train, val)
    return TrainingData(train, val, split)


def _named_apart(subset: Subset, names: Collection[str], root: Path) -> tuple[Subset, Subset]:
    """The samples that are not named, and those that are.

    Raises:
        DataError: some of them are gone.
    """
    chosen = np.array([sample.name in set(names) for sample in subset.samples], bool)
    if chosen.sum() < len(set(names)):
        gone = sorted(set(names) - {sample.name for sample in subset.samples})
        raise DataError(
            f"{root}: {len(gone)} of the {len(names)} images to validate on are not there: {listed(gone, 3)}; put them "
            "back, or remove their names from data.val.images in data.yaml, so that scores are no longer comparable"
        )
    return _part(subset, ~chosen), _part(subset, chosen)


def split_training(
    data: TrainingData,
    report: ScanReport,
    root: Path,
    seed: int,
    val_share: float = VAL_SHARE,
    fold: Fold | None = None,
) -> tuple[TrainingData, ScanReport, ScanReport]:
    """Take the validation images from the training images, so that both show every label, see `choose_validation` and
    `deal_into_folds`.

    Args:
        data: without validation images, and without training images that cannot be decoded.
        report: on the training images.
        root: the folder they were found in.
        seed: equal seeds and files give equal choices.
        val_share: the share of the images that is taken, in (0, 1); at least one, and more if many labels are rare.
        fold: which part is taken where the images are divided into several; None: one part of `val_share`.

    Returns:
        The data, and the reports on the training and on the validation images.

    Raises:
        DataError: a single image cannot be split.
        UsageError: there are more folds than images.
    """
    _refuse_single(data.train, root)
    chosen, how = _by_share(report, seed, val_share) if fold is None else _by_fold(report, seed, fold, root)
    split = f"validation: {int(chosen.sum())} of the {len(data.train)} images of {root}, {how}{data.split}"
    parts = replace(data, train=_part(data.train, ~chosen), val=_part(data.train, chosen), split=split)
    return parts, report.part((~chosen).tolist()), report.part(chosen.tolist())


def _by_share(report: ScanReport, seed: int, val_share: float) -> tuple[NDArray[np.bool_], str]:
    images = report.images
    taken = min(max(1, round(val_share * images)), images - 1)
    chosen = choose_validation(report.labels_of, report.labels, taken, seed)
    how = f"split by label and seed {seed}"
    if chosen.sum() > taken:
        how += f": more than {taken}, so that they show every label that several images have"
    return chosen, how


def _by_fold(report: ScanReport, seed: int, fold: Fold, root: Path) -> tuple[NDArray[np.bool_], str]:
    if fold.of > report.images:
        raise UsageError(
            f"--folds {fold.of}: {root} has {count(report.images, 'image')} to train on; give at most as many folds"
        )
    dealt = deal_into_folds(report.labels_of, report.labels, fold.of, seed)
    return dealt == fold.number - 1, f"{fold}, divided by label and seed {seed}"


def open_test(spec: DataSpec, use_polygons: bool = False) -> Subset:
    """The images to test on: the subset test of `test_root`, else val, else those directly in it, else its only one.

    Raises:
        UsageError: see `open_folder`.
        DataError: unusable data (see `open_folder`), or several subsets none of which is meant for testing.
    """
    root = spec.test_root
    assert root is not None
    subsets = find_subsets(root, spec.data_format, spec.test_annotations, spec.label_map, some_labels=True)
    return open_chosen(root, subsets, ("test", "val", DEFAULT_SUBSET), "evaluate on", use_polygons)[1]


def _same_files(one: Subset, other: Subset) -> bool:
    names = [{sample.name for sample in subset.samples} for subset in (one, other)]
    return one.root.resolve() == other.root.resolve() and names[0] == names[1]


def _place(root: Path, subset: str) -> str:
    return str(root) if subset == DEFAULT_SUBSET else f"the subset {subset} in {root}"


def _refuse_single(subset: Subset, root: Path) -> None:
    """Raises DataError if there are fewer than two images."""
    if len(subset) < 2:
        raise DataError(
            f"{root}: a single image cannot be split into training and validation; give --val-data-roots or more images"
        )


def _part(subset: Subset, chosen: NDArray[np.bool_]) -> Subset:
    samples = tuple(sample for sample, keep in zip(subset.samples, chosen, strict=True) if keep)
    return replace(subset, samples=samples)


def check_same_labels(train: Subset, val: Subset) -> None:
    """Refuse two subsets whose mask values do not mean the same.

    Raises:
        DataError: naming the labels that differ.
    """
    ours, theirs = train.labels.names, val.labels.names
    if ours == theirs and train.labels.background == val.labels.background:
        return
    only_train = [name for name in ours if name not in theirs]
    only_val = [name for name in theirs if name not in ours]
    if only_train or only_val:
        parts = [f"only in {train.root}: {', '.join(only_train)}"] if only_train else []
        parts += [f"only in {val.root}: {', '.join(only_val)}"] if only_val else []
        difference = "; ".join(parts)
    elif ours != theirs:
        difference = f"the order is {', '.join(ours)} in {train.root} and {', '.join(theirs)} in {val.root}"
    else:
        difference = "they name another background label"
    raise DataError(
        f"the labels of the training and the validation data differ: {difference}; list the "
        "same labels in the same order in both (the label_map of dataset_meta.json, or labels.txt), also those without "
        "any pixel"
    )
