"""The images that are labelled already, of a command that is about those that are not."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from otx_seg.annotations.samples import Sample
from otx_seg.datasets import DataSpec, Subset, find_training, open_test
from otx_seg.inputs.data import evaluation_spec_if_any, training_spec
from otx_seg.inputs.resolver import Resolver
from otx_seg.training.recorded_data import read_recorded
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSubsets:
    """The images that need no label any more.

    Attributes:
        trained_on: those a model learns from, so that an image like them would teach it little; None: there are none.
        others: those it is validated and tested on.
    """

    trained_on: Subset | None = None
    others: tuple[Subset, ...] = ()

    def samples(self) -> Iterator[tuple[Subset, Sample]]:
        """Each image once, with the first subset that has it."""
        seen: set[str] = set()
        for subset in (*(() if self.trained_on is None else (self.trained_on,)), *self.others):
            for sample in subset.samples:
                if sample.image not in seen:
                    seen.add(sample.image)
                    yield subset, sample

    def __len__(self) -> int:
        return sum(1 for _ in self.samples())


def labelled_images(resolver: Resolver, given: DataSpec, weights: Sequence[Path]) -> tuple[LabelledSubsets, DataSpec]:
    """The labelled images, and where they are: as given, else of the workspace, else what a model was trained on.

    If none are known, a warning says so.

    Args:
        given: folder of the training data and how to read it; stronger than ``data.yaml``.
        weights: the models.

    Raises:
        UsageError: ``data.yaml`` or the record of a run cannot be understood.
        DataError: data that is named cannot be used.
    """
    spec = _spec(resolver, given, weights)
    if spec.train_root is None:
        logger.warning(
            "no labelled images are known, so those among the images are suggested too: name their folder with "
            "--train-data-roots"
        )
        return LabelledSubsets(), spec
    data = find_training(spec)
    tested = evaluation_spec_if_any(resolver, DataSpec()) if resolver.workspace is not None else None
    others = (data.val, None if tested is None else open_test(tested))
    return LabelledSubsets(data.train, tuple(subset for subset in others if subset is not None)), spec


def _spec(resolver: Resolver, given: DataSpec, weights: Sequence[Path]) -> DataSpec:
    if given.train_root is not None or resolver.names("train"):
        return training_spec(resolver, given)
    for file in weights:
        run = RunFolder(file.parent.parent)
        if run.weights == file and run.data.is_file():
            recorded = read_recorded(run).data
            if recorded.train_root is not None and recorded.train_root.is_dir():
                logger.info("labelled images: those that %s was trained on, %s", file, recorded.train_root)
                return given.or_else(recorded)
    return given
