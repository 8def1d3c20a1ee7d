"""Validation during training: when, on all processes together, and which network is saved."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.inference.evaluate import count_pixels
from otx_seg.inference.pictures import Picture, pictures_of
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.metrics.confusion import PixelCounts, Scores, scores
from otx_seg.metrics.paired import paired_difference
from otx_seg.metrics.watched import metric_named
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.best_networks import BestNetworks, Scored
from otx_seg.training.context import TrainContext
from otx_seg.training.kept_network import KeptNetwork
from otx_seg.training.state import TrainState
from otx_seg.training.stopping import Stopping

_ADAPTIVE_SHARE = 0.2
"""With `use_adaptive_interval`, validations take at most about this share of the time."""

SHARE_OF_BUDGET = 0.05
"""Under a time budget, validations take at most about this share of the time."""

_FIRST_STEPS = 20
"""They wait for processes to start and for images to be decoded: what follows cannot be told from them."""

_MOST_OF_BUDGET = 0.5  # that a guess may keep for the first validation


class ValidationPace:
    """Decides after which epochs to validate.

    Args:
        images: number of validation images.
    """

    def __init__(self, parameters: LearningParameters, images: int) -> None:
        self.parameters = parameters
        self.images = images
        self.duration_s = 0.0
        self._ended = time.monotonic()

    def is_due(self, epochs_since: int, steps_per_epoch: int) -> bool:
        """Whether to validate now.

        Under a time budget by the clock, as everything is then; else by the number of epochs alone, so that a run
        can be repeated exactly.
        """
        if self.parameters.max_minutes > 0:
            return (time.monotonic() - self._ended) * SHARE_OF_BUDGET >= self.duration_s
        interval = 1
        if self.parameters.use_adaptive_interval:
            # The rule of OTX 1.x: every 5 epochs when they have a few steps, every epoch from 50 steps on.
            interval = max(round(math.exp(-0.025 * steps_per_epoch) * 5), 1)
            # Beyond it: 24 training and 100 validation images would spend five times as long on validation as on
            # training.
            interval = max(interval, math.ceil(self._in_steps * (1 / _ADAPTIVE_SHARE - 1) / steps_per_epoch))
        return epochs_since >= interval

    @property
    def _in_steps(self) -> float:
        """What a validation costs: a step costs about as much as predicting three times its images."""
        return self.images / (3 * self.parameters.step_images)

    def expected_s(self, steps: int, elapsed_s: float) -> float:
        """Seconds that the next validation will take: as the last one, else by what steps have taken so far."""
        if self.duration_s or steps < _FIRST_STEPS:
            return self.duration_s
        return min(self._in_steps * elapsed_s / steps, _MOST_OF_BUDGET * self.parameters.max_minutes * 60)

    def note(self, started: float) -> None:
        """A validation that began at this reading of ``time.monotonic`` has ended now."""
        self._ended = time.monotonic()
        self.duration_s = self._ended - started


class Validation(NamedTuple):
    """The scores of a network, and what they were taken from, see `PixelCounts.per_image`."""

    scores: Scores
    per_image: Tensor


def count_on_all_processes(
    network: SegmentationNetwork,
    subset: Subset,
    template: Template,
    batch_size: int,
    workers: int,
    accelerator: Accelerator,
) -> PixelCounts:
    """The counts of a network on a subset; each process works on its share of the images."""
    rank, world_size = accelerator.process_index, accelerator.num_processes
    if world_size > 1:
        # Without synchronised BatchNorm the running statistics differ a little from process to process.
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, src=0)
    predictor = TorchPredictor(network, subset.labels, template.input_size, template)
    shares = [range(first, len(subset), world_size) for first in range(world_size)]
    counts = count_pixels(predictor, subset, shares[rank], batch_size, workers)
    if world_size == 1:
        return counts
    confusion = accelerator.reduce(counts.confusion.to(accelerator.device), reduction="sum").cpu()
    order = torch.tensor([index for share in shares for index in share]).argsort()
    return PixelCounts(confusion, torch.cat(gather_object([counts.per_image]))[order])


class Validator:
    """Scores a network now and then, and decides whether it is kept.

    While a training goes on, the best network so far is kept. At its end the last one is, unless an earlier one is
    better by more than the noise of the validation images: the highest of many scores is high by luck too.

    Args:
        context: without validation images in its data nothing is scored; then, and where scores tell nothing, what is
            kept is the last network.
        kept: the network that is kept, none so far.
        best: takes note of the best networks.
        stopping: says when a score means that the training is over.
        settles: whether the networks settle towards the end, as the moving average of weights does under a decaying
            learning rate. If not, the best one is kept at the end too.
    """

    def __init__(
        self,
        context: TrainContext,
        kept: KeptNetwork,
        best: BestNetworks,
        accelerator: Accelerator,
        workers: int,
        stopping: Stopping,
        settles: bool = False,
    ) -> None:
        data, template = context.data, context.template
        self.data, self.template, self.kept, self.best = data, template, kept, best
        self.accelerator, self.workers = accelerator, workers
        self.stopping, self.settles = stopping, settles
        self.metric = metric_named(template.hyper_parameters.learning_parameters.watch)
        images = 0 if data.val is None else len(data.val)
        self.pace = ValidationPace(template.hyper_parameters.learning_parameters, images)
        self.over = self.improved = False

    def is_due(self, state: TrainState, steps_per_epoch: int) -> bool:
        """Whether to look at the network between two epochs, as this process sees it."""
        since = state.epoch - state.validated_epoch
        return self.data.val is not None and self.pace.is_due(since, steps_per_epoch)

    def validate(self, network: SegmentationNetwork, state: TrainState, last: bool = False) -> Validation | None:
        """Validate a network and keep it if it is good enough; `over` tells whether the training should stop.

        Without validation images, keep it.

        Args:
            last: the training ends here.
        """
        if self.data.val is None:
            state.validated_epoch, state.validated_step = state.epoch, state.step
            state.best_epoch = state.begun_epochs
            self.kept.keep(network, None)
            return None
        started = time.monotonic()
        counts = self.count(network, state)
        # Not before: whoever is interrupted while it scores has not scored.
        state.validated_epoch, state.validated_step = state.epoch, state.step
        result = scores(counts.confusion, self.data.val.labels)
        score = self.metric.of(result)
        self.over = self.stopping.observe(state.epoch, state.step, score)
        better = score > state.best_score
        self.improved = better or not self.data.scorable or self.kept.counts is None
        if not self.improved and self.settles and (last or self.over):
            self.improved = self._is_as_good(counts, state.best_epoch)
        if self.improved:
            state.best_score, state.best_epoch = score, state.begun_epochs
            self.kept.keep(network, counts)
        self.best.note(Scored(score, state.begun_epochs, state.step), network.network)
        self.pace.note(started)
        state.validation_s = self.pace.duration_s
        return Validation(result, counts.per_image)

    def count(self, network: SegmentationNetwork, state: TrainState) -> PixelCounts:
        """How a network does on the validation images."""
        assert self.data.val is not None
        how = (self.template, state.batch_size, self.workers, self.accelerator)
        return count_on_all_processes(network, self.data.val, *how)

    def _is_as_good(self, counts: PixelCounts, best_epoch: int) -> bool:
        """Whether the last network is not worse than the best one by more than noise; `choice` says so."""
        assert self.kept.counts is not None
        if len(self.kept.counts.per_image) != len(counts.per_image):  # resumed from an earlier version
            return False
        found = paired_difference(self.kept.counts.per_image, counts.per_image, self.metric, self.data.train.labels)
        if found.difference > 0:
            higher = f"{found.difference:.4f} higher than that of the last one"
            self.kept.choice = f"the {self.metric.name} of epoch {best_epoch} is {higher}, {found}"
        return found.is_noise

    def pictures(self, network: SegmentationNetwork) -> tuple[Picture, ...]:
        """Some validation images with the predictions of a network."""
        subset = self.data.val
        assert subset is not None
        return pictures_of(TorchPredictor(network, subset.labels, self.template.input_size, self.template), subset)
