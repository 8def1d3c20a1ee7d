"""The network that a training gives: its file, and how it does on the validation images."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from accelerate import Accelerator

from otx_seg.metrics.confusion import PixelCounts, Scores, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.models.network import SegmentationNetwork
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import largest
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.weights import read_weights, write_backbone, write_weights


class KeptNetwork:
    """Writes `weights.pth`; another network may take the place of the one that is kept.

    Attributes:
        counts: of the network on the validation images; None as long as none is kept, or without such images.
        choice: why it is this one, if it is not simply the best one; else empty.
        averaged: epochs of the networks whose mean it is; none if it is one of the training's own.
        temperature: of the calibration of its confidences.
    """

    def __init__(self, context: TrainContext, origin: str, accelerator: Accelerator) -> None:
        """
        Args:
            context: without validation images in its data, what is written is a backbone alone.
            origin: how the weights began, recorded in the file.
        """
        self.context, self.origin, self.accelerator = context, origin, accelerator
        self.counts: PixelCounts | None = None
        self.choice = ""
        self.averaged: tuple[int, ...] = ()
        self.temperature = 1.0
        self._write: Callable[..., None] | None = None

    def keep(self, network: SegmentationNetwork, counts: PixelCounts | None) -> None:
        """Write a network, and remember how it does."""
        self.counts, self.temperature = counts, 1.0
        template, labels = self.context.template, self.context.data.train.labels
        write = write_backbone if counts is None else functools.partial(write_weights, labels=labels)
        module = network.network.backbone if counts is None else network.network
        on_main = self.accelerator.is_main_process
        tensors = {key: value.detach().cpu().clone() for key, value in module.state_dict().items() if on_main}
        self._write = functools.partial(write, state_dict=tensors, template=template, origin=self.origin)
        self.write_again(self.context.run)

    def calibrate(self, temperature: float) -> None:
        """Write it with the temperature of its confidences."""
        self.temperature = temperature
        if not self.accelerator.is_main_process:
            return
        if self._write is None:  # an earlier process kept it
            found = read_weights(self.context.run.weights)
            self._write = functools.partial(
                write_weights,
                state_dict=found.state_dict,
                labels=found.labels,
                template=self.context.template,
                origin=found.origin,
            )
        self._write = functools.partial(self._write, temperature=temperature)
        self.write_again(self.context.run)

    def write_again(self, run: RunFolder) -> bool:
        """Write what was kept into the folder of a run; False if an earlier process kept it, so that only its file is
        left of it."""
        if self._write is not None and self.accelerator.is_main_process:
            self._write(run.weights)
        return self._write is not None

    def forget(self) -> None:
        """Keep none any more: its file is gone."""
        self.counts, self.choice, self.averaged, self.temperature = None, "", (), 1.0

    def is_lost(self) -> bool:
        """Whether the file of what was kept is missing; equal on all processes."""
        missing = self.accelerator.is_main_process and not self.context.run.weights.exists()
        return bool(largest(self.accelerator, float(missing)))

    def state_dict(self) -> dict[str, Any]:
        """What is known of the network; its weights are in its file."""
        return {
            "best_confusion": None if self.counts is None else self.counts.confusion,
            "best_per_image": None if self.counts is None else self.counts.per_image,
            "choice": self.choice,
            "averaged": list(self.averaged),
            "temperature": self.temperature,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave, among other things."""
        confusion, per_image = state["best_confusion"], state.get("best_per_image")
        if confusion is not None:
            if per_image is None:  # an earlier version had no counts of each image
                per_image = confusion.new_zeros(0, len(confusion), 3)
            self.counts = PixelCounts(confusion, per_image)
        self.choice, self.averaged = state.get("choice", ""), tuple(state.get("averaged", ()))
        self.temperature = state.get("temperature", 1.0)

    def scores(self) -> Scores | None:
        """The scores of what was kept."""
        return None if self.counts is None else scores(self.counts.confusion, self.context.data.train.labels)

    def counted(self) -> CountedImages | None:
        """What it gets wrong on which validation image; None where that is not known, as in a run of an earlier
        version."""
        subset = self.context.data.val
        if self.counts is None or subset is None or len(self.counts.per_image) != len(subset):
            return None
        return CountedImages(subset.labels, tuple(sample.name for sample in subset.samples), self.counts)
