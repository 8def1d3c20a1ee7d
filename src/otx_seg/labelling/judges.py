"""Which network judges which image: one that has not learned from its mask, if there is one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otx_seg.errors import UsageError
from otx_seg.inference.ensemble import ensemble
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels
from otx_seg.runtime.predictor import Predictor, no_probabilities
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.finished_fold import FinishedFold, read_finished
from otx_seg.training.recorded_data import read_recorded
from otx_seg.words import count, listed
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.run_folder import RunFolder, folds_in

_OUT_OF_FOLD = (
    "networks that have not seen a mask find its faults better: train them with `otx train --folds 3`, and give the "
    "folder of that run to --load-weights"
)


@dataclass(frozen=True)
class Judges:
    """Networks that judge masks.

    Attributes:
        of_others: the network for images that no fold knows; all networks together.
        files: the networks.
        by_image: the network that has not seen an image, by its name; empty where the weights are of no folds.
        folder: that of the folds; None where there are none.
        learned: names of the images that the networks were trained on; None: they are not known.
    """

    of_others: Predictor
    files: tuple[Path, ...]
    by_image: Mapping[str, Predictor] = field(default_factory=dict)
    folder: Path | None = None
    learned: frozenset[str] | None = None

    @property
    def labels(self) -> Labels:
        """Those of all networks, in the order of their outputs."""
        return self.of_others.labels

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) in pixels of what the networks look at."""
        return self.of_others.input_size

    @property
    def in_words(self) -> str:
        """Which network judges which image, a sentence without full stop."""
        if self.folder is not None:
            return f"each mask is compared with the network of {self.folder} that has not seen it"
        together = "the mean of " if len(self.files) > 1 else ""
        return f"all masks are compared with {together}{listed(self.files, 3)}"

    def of(self, name: str) -> Predictor:
        """The network for an image."""
        return self.by_image.get(name, self.of_others)

    def refuse_unknown(self, names: Collection[str], root: Path) -> None:
        """
        Args:
            names: of the images of a subset that a training would use.
            root: its folder.

        Raises:
            UsageError: the folds do not know all of them.
        """
        unknown = sorted(set(names) - self.by_image.keys())
        if self.folder is not None and unknown:
            raise UsageError(
                f"{self.folder}: these folds are of other data: none of them has {count(len(unknown), 'image')} of "
                f"{root}, such as {unknown[0]!r}; train folds of this data, or give the weights of single networks"
            )

    def caution(self, names: Collection[str]) -> str:
        """What makes their judgement of images worse than it could be, and what to do; empty if nothing does."""
        if self.folder is not None:
            return ""
        if self.learned is None:
            return f"it is not known which images {listed(self.files, 3)} learned from; if from these, {_OUT_OF_FOLD}"
        common = len(self.learned.intersection(names))
        if not common:
            return ""
        return (
            f"{listed(self.files, 3)} learned from {common:,} of these {count(len(names), 'image')}, as far as names "
            f"tell, and may have learned faults of their masks by heart; {_OUT_OF_FOLD}"
        )


def open_judges(weights: Sequence[Path]) -> Judges:
    """Open the networks.

    Args:
        weights: the folder of a run of `otx train --folds`, or files of one or several models, whose probabilities
            are averaged.

    Raises:
        UsageError: they cannot be used together, a fold is not trained yet, or see `load_predictor` and `ensemble`.
    """
    folders = [path for path in weights if folds_in(path)]
    if folders and len(weights) > 1:
        raise UsageError(f"{folders[0]}: holds folds, which judge alone; leave the other --load-weights out")
    if folders:
        return _of_folds(folders[0])
    return Judges(
        _averaged({path: load_predictor(path) for path in weights}), tuple(weights), learned=_learned(weights)
    )


def _of_folds(folder: Path) -> Judges:
    finished = _all_finished(folder)
    predictors = {fold.run.weights: load_predictor(fold.run.weights) for fold in finished}
    by_image = {name: predictors[fold.run.weights] for fold in finished for name in fold.counted.files}
    return Judges(_averaged(predictors), tuple(predictors), by_image, folder)


def _all_finished(folder: Path) -> list[FinishedFold]:
    """
    Raises:
        UsageError: a fold is missing or not finished.
    """
    begun = folds_in(folder)
    recorded = read_recorded(begun[0]).fold
    number = recorded.of if recorded is not None else len(begun)
    found = [read_finished(RunFolder(folder).fold(each)) for each in range(1, number + 1)]
    missing = [each for each, fold in enumerate(found, start=1) if fold is None]
    if missing:
        raise UsageError(
            f"{folder}: not trained yet: fold {listed(missing)} of {number}; each fold judges its own images, so "
            f"train the rest: {otx_command(TRAIN, '--resume-from', folder)}"
        )
    return [fold for fold in found if fold is not None]


def _averaged(models: Mapping[Path, Predictor]) -> Predictor:
    for path, model in models.items():
        if model.gives_masks:
            raise no_probabilities(path)
    return ensemble(models)


def _learned(weights: Sequence[Path]) -> frozenset[str] | None:
    """The images that the trainings of these files learned from; None if the files do not lie in their runs."""
    names: set[str] = set()
    for path in weights:
        run = RunFolder(path.resolve().parent.parent)
        if run.weights != path.resolve() or not run.data.is_file():
            return None
        names.update(read_recorded(run).train)
    return frozenset(names)
