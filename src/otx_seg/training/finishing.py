"""The end of a training: what may make the kept network better without a further step.

The mean of the best networks (`average_best`) takes the place of the kept network if it scores higher. This changes
neither the state of the training, which is over, nor its random numbers.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator

import torch
from accelerate import Accelerator
from torch import Tensor

from otx_seg.metrics.confusion import PixelCounts, scores
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.weight_average import mean_of
from otx_seg.training.best_networks import Scored
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import largest
from otx_seg.training.state import TrainState
from otx_seg.training.validation import Validator
from otx_seg.words import listed

logger = logging.getLogger(__name__)


class Finishing:
    """Improves on the network that `validator` keeps.

    Attributes:
        done: whether that was tried.
    """

    def __init__(self, context: TrainContext, accelerator: Accelerator, validator: Validator) -> None:
        self.context, self.accelerator = context, accelerator
        self.validator, self.kept, self.best = validator, validator.kept, validator.best
        self.done = not self.best.count

    @property
    def in_validations(self) -> float:
        """What it costs, as a multiple of a validation."""
        return 0.0 if self.done else 1.0

    def run(self, network: SegmentationNetwork, state: TrainState) -> None:
        """Try it.

        Args:
            network: like the one that is kept; it stays as it is.
        """
        network = copy.deepcopy(network)
        self._average(network, state)
        self.best.forget()
        self.done = True

    def _average(self, network: SegmentationNetwork, state: TrainState) -> None:
        found: list[Scored] = []
        if self.accelerator.is_main_process:
            found = self._load_mean(network)
        if largest(self.accelerator, float(len(found))) < 2:
            return
        self._share(network)
        counts = self.validator.count(network, state)
        score, before, name = self._score(counts), state.best_score, self.validator.metric.name
        epochs = sorted(one.epoch for one in found)
        better = score > before
        logger.info(
            "mean of the networks of epochs %s: %s %.4f, before %.4f%s",
            listed(epochs),
            name,
            score,
            before,
            "" if better else "; it is not kept",
        )
        if better:
            self.kept.choice, self.kept.averaged = "", tuple(epochs)
            higher = f"its {name} is {score - before:.4f} higher than that of epoch {state.best_epoch} alone"
            self._keep(network, counts, state, higher)

    def _load_mean(self, network: SegmentationNetwork) -> list[Scored]:
        """Put the mean of the best networks into one; which they are."""
        found: list[Scored] = []

        def networks() -> Iterator[dict[str, Tensor]]:
            for one, tensors in self.best.read(network.network):
                found.append(one)
                yield tensors

        mean = mean_of(networks())
        if len(found) > 1:
            network.network.load_state_dict(mean)
        return found

    def _share(self, network: SegmentationNetwork) -> None:
        """Give all processes the network of the first."""
        if self.accelerator.num_processes > 1:
            for tensor in network.state_dict().values():
                torch.distributed.broadcast(tensor, src=0)

    def _score(self, counts: PixelCounts) -> float:
        return self.validator.metric.of(scores(counts.confusion, self.context.data.train.labels))

    def _keep(self, network: SegmentationNetwork, counts: PixelCounts, state: TrainState, why: str) -> None:
        state.best_score = self._score(counts)
        self.kept.choice = "; ".join(filter(None, (self.kept.choice, why)))
        self.kept.keep(network, counts)
