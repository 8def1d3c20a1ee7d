"""From the views an algorithm asks for to the loader that delivers them."""

from __future__ import annotations

from typing import Any

from otx_seg.datasets import TrainingData
from otx_seg.datasets.loading import training_loader
from otx_seg.datasets.views import Labelled, Unlabelled, View
from otx_seg.template import Template
from otx_seg.transforms.pipeline import Transform, build_pipeline


def open_views(
    names: tuple[str, ...],
    data: TrainingData,
    template: Template,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int,
    world_size: int,
) -> Any:
    """A loader of the views called `names` for one process, see `training_loader`.

    Args:
        names: an algorithm's `views`.
        data: has unlabelled images if they are among the views.
        template: its pipelines augment; its `unlabeled_batch_size` counts unlabelled images.
        batch_size: labelled images per step at most.
        workers, seed, rank, world_size: see `training_loader` and `Labelled`.

    Raises:
        UsageError: a pipeline cannot be built.
    """
    where = f"template {template.name}"

    def pipeline(key: str, moves_pixels: bool = True) -> Transform:
        return build_pipeline(getattr(template, key), template.input_size, f"{where}: {key}", moves_pixels)

    share = (seed, rank, world_size)
    first = Labelled(data.train, pipeline("train_pipeline"), batch_size, *share)
    others: list[View] = []
    if "second" in names:
        others.append(Labelled(data.train, pipeline("second_pipeline"), batch_size, *share, name="second", look=2))
    if Unlabelled.name in names:
        assert data.unlabelled is not None
        weak, strong = pipeline("weak_pipeline"), pipeline("strong_pipeline", moves_pixels=False)
        count = template.hyper_parameters.learning_parameters.unlabeled_batch_size
        others.append(Unlabelled(data.unlabelled, weak, strong, count, *share))
    return training_loader(first, others, workers)
