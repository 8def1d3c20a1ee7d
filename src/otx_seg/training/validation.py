"""Scoring the network during training: when, and on all processes together."""

from __future__ import annotations

import math
import time

import torch
from accelerate import Accelerator
from torch import Tensor

from otx_seg.datasets import Subset
from otx_seg.inference.evaluate import confusion_of
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template
from otx_seg.template.hyper_parameters import LearningParameters

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
        return self.images / (3 * self.parameters.batch_size)

    def expected_s(self, steps: int, elapsed_s: float) -> float:
        """Seconds that the next validation will take: as the last one, else by what steps have taken so far."""
        if self.duration_s or steps < _FIRST_STEPS:
            return self.duration_s
        return min(self._in_steps * elapsed_s / steps, _MOST_OF_BUDGET * self.parameters.max_minutes * 60)

    def note(self, started: float) -> None:
        """A validation that began at this reading of ``time.monotonic`` has ended now."""
        self._ended = time.monotonic()
        self.duration_s = self._ended - started


def confusion_on_all_processes(
    network: SegmentationNetwork,
    subset: Subset,
    template: Template,
    batch_size: int,
    workers: int,
    accelerator: Accelerator,
) -> Tensor:
    """The confusion matrix (K, K) of a network on a subset; each process works on its share of the images."""
    rank, world_size = accelerator.process_index, accelerator.num_processes
    if world_size > 1:
        # Without synchronised BatchNorm the running statistics differ a little from process to process.
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, src=0)
    predictor = TorchPredictor(network, subset.labels, template.input_size, template)
    indices = range(rank, len(subset), world_size)
    confusion = confusion_of(predictor, subset, indices, batch_size, workers)
    if world_size > 1:
        confusion = accelerator.reduce(confusion.to(accelerator.device), reduction="sum").cpu()
    return confusion
