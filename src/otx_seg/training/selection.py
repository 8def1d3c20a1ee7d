"""Which network of a training is kept: the best on the validation images, or the last where there are none."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor, nn

from otx_seg.metrics.confusion import Scores, scores
from otx_seg.models.network import SegmentationNetwork
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import largest
from otx_seg.training.state import Position
from otx_seg.training.stopping import Stopping
from otx_seg.training.validation import ValidationPace, confusion_on_all_processes
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import write_backbone, write_weights


class Selection:
    """Scores a network now and then, and writes `weights.pth` when it is the best so far.

    Args:
        context: without validation images in its data nothing is scored, and what is written is a backbone alone; where
            scores tell nothing, what is kept is the last network.
        origin: how the weights began, recorded in the file.
        stopping: says when a score means that the training is over.
    """

    def __init__(
        self, context: TrainContext, origin: str, accelerator: Accelerator, workers: int, stopping: Stopping
    ) -> None:
        data, template = context.data, context.template
        self.data, self.template, self.run, self.origin = data, template, context.run, origin
        self.accelerator, self.workers = accelerator, workers
        self.stopping = stopping
        self.best_confusion: Tensor | None = None
        images = 0 if data.val is None else len(data.val)
        self.pace = ValidationPace(template.hyper_parameters.learning_parameters, images)
        self.over = False
        self._write: Callable[[Path], None] | None = None

    def is_due(self, position: Position, steps_per_epoch: int) -> bool:
        """Whether to look at the network between two epochs, as this process sees it."""
        since = position.epoch - position.validated_epoch
        return self.data.val is not None and self.pace.is_due(since, steps_per_epoch)

    def look(self, network: SegmentationNetwork, position: Position) -> Scores | None:
        """Score a network and keep it if it is the best; `over` tells whether the training should stop.

        Without validation images, keep it.
        """
        if self.data.val is None:
            position.validated_epoch, position.validated_step = position.epoch, position.step
            position.best_epoch = position.epoch
            self._keep(write_backbone, network.network.backbone)
            return None
        started = time.monotonic()
        confusion = confusion_on_all_processes(
            network, self.data.val, self.template, position.batch_size, self.workers, self.accelerator
        )
        # Not before: whoever is interrupted while it scores has not scored.
        position.validated_epoch, position.validated_step = position.epoch, position.step
        result = scores(confusion, self.data.val.labels)
        self.over = self.stopping.observe(position.epoch, position.step, result.dice_average)
        if not self.data.scorable or result.dice_average > position.best_score or self.best_confusion is None:
            position.best_score, position.best_epoch = result.dice_average, position.epoch
            self.best_confusion = confusion
            self._keep(functools.partial(write_weights, labels=self.data.train.labels), network.network)
        self.pace.note(started)
        position.validation_s = self.pace.duration_s
        return result

    def _keep(self, write: Callable[..., None], module: nn.Module) -> None:
        on_main = self.accelerator.is_main_process
        tensors = {key: value.detach().cpu().clone() for key, value in module.state_dict().items() if on_main}
        self._write = functools.partial(write, state_dict=tensors, template=self.template, origin=self.origin)
        self.write_kept(self.run)

    def write_kept(self, run: RunFolder) -> bool:
        """Write what was kept into the folder of a run; False if an earlier process kept it, so that only its file is
        left of it."""
        if self._write is not None and self.accelerator.is_main_process:
            self._write(run.weights)
        return self._write is not None

    def is_lost(self) -> bool:
        """Whether the file of what was kept is not there; equal on all processes."""
        missing = self.accelerator.is_main_process and not self.run.weights.exists()
        return bool(largest(self.accelerator, float(missing)))

    def best(self) -> Scores | None:
        """The scores of what was kept."""
        return None if self.best_confusion is None else scores(self.best_confusion, self.data.train.labels)
