"""From the views of an algorithm to the loader that delivers them."""

from __future__ import annotations

from typing import Any

from otx_seg.datasets import TrainingData
from otx_seg.datasets.loading.loader import training_loader
from otx_seg.datasets.loading.memory_cache import Cache, open_cache
from otx_seg.datasets.loading.views import Labelled, Unlabelled
from otx_seg.processes import processes_here
from otx_seg.template import Template
from otx_seg.training.devices import choose_workers
from otx_seg.transforms.pipeline import Transform, build_pipeline

_LABELLED = {
    "labelled": ("train_pipeline", 0),
    "second": ("second_pipeline", 2),
    "pasted": ("train_pipeline", 3),
    "first crop": ("first_crop_pipeline", 0),
    "second crop": ("second_crop_pipeline", 2),
}
"""For each view of images with masks its pipeline in the template and its `stream`; 1 is the unlabelled images'."""


def open_views(
    names: tuple[str, ...],
    data: TrainingData,
    template: Template,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int,
    world_size: int,
    cache: Cache | None = None,
) -> Any:
    """A loader of the views called `names` for one process, see `training_loader`.

    Args:
        names: an algorithm's `views`; the first of them is one of images with masks.
        data: has unlabelled images if they are among the views.
        template: its pipelines augment; its `unlabeled_batch_size` counts unlabelled images.
        batch_size: labelled images per step at most.
        workers, seed, rank, world_size: see `training_loader` and `Labelled`.
        cache: of decoded files, see `open_training_cache`; None: there is none.

    Raises:
        UsageError: a pipeline cannot be built.
    """
    where = f"template {template.name}"

    def pipeline(key: str, moves_pixels: bool = True) -> Transform:
        return build_pipeline(getattr(template, key), template.input_size, f"{where}: {key}", moves_pixels)

    parameters = template.hyper_parameters.learning_parameters
    share = (seed, rank, world_size)

    def labelled(name: str, key: str, stream: int) -> Labelled:
        rounds = parameters.rounds_per_epoch
        return Labelled(data.train, pipeline(key), batch_size, *share, name, stream, data.new, rounds, cache)

    views: list[Any] = [labelled(name, *_LABELLED[name]) for name in names if name in _LABELLED]
    if Unlabelled.name in names:
        assert data.unlabelled is not None
        weak, strong = pipeline("weak_pipeline"), pipeline("strong_pipeline", moves_pixels=False)
        # Both shrink together when memory runs out.
        count = max(1, parameters.unlabeled_batch_size * batch_size // parameters.batch_size)
        first_slot = 2 * len(data.train)
        views.append(Unlabelled(data.unlabelled, weak, strong, count, *share, cache, first_slot))
    return training_loader(views[0], views[1:], workers)


def open_training_cache(data: TrainingData, template: Template) -> Cache:
    """A cache for all files that trainings with this data may read: images, masks, and images without masks."""
    parameters = template.hyper_parameters
    slots = 2 * len(data.train) + (0 if data.unlabelled is None else len(data.unlabelled))
    workers = choose_workers(parameters.learning_parameters, processes_here())
    return open_cache(parameters.algo_backend.mem_cache_size, slots, workers, processes_here())
