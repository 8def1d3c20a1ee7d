"""The end of a training: what may make the kept network better without a further step.

1. The statistics of its batch norms are estimated anew (`precise_bn_images`). That is kept unless it scores lower.
2. The mean of the best networks (`average_best`), with such statistics too if they were kept. It takes the place of the
   kept network if it scores higher.
3. The temperature of its confidences is fitted, see `otx_seg.training.temperature`.

Nothing here changes the state of the training, which is over, or its random numbers.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from otx_seg.datasets.loading.loader import evaluation_loader
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.metrics.confusion import PixelCounts, scores
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.precise_norms import estimate_norms
from otx_seg.models.weight_average import mean_of
from otx_seg.training.best_networks import Scored
from otx_seg.training.context import TrainContext
from otx_seg.training.devices import largest
from otx_seg.training.state import TrainState
from otx_seg.training.temperature import MOST_IMAGES, calibrate
from otx_seg.training.validation import Validator
from otx_seg.words import count, listed
from otx_seg.workspace.weights import read_weights

logger = logging.getLogger(__name__)


class _Tried(NamedTuple):
    """A network on the validation images: what it got right, its score, and that of the network that is kept."""

    counts: PixelCounts
    score: float
    before: float


class Finishing:
    """Improves on the network that `validator` keeps.

    Attributes:
        done: whether that was tried.
    """

    def __init__(self, context: TrainContext, accelerator: Accelerator, workers: int, validator: Validator) -> None:
        parameters = context.template.hyper_parameters.learning_parameters
        self.context, self.accelerator, self.workers = context, accelerator, workers
        self.validator, self.kept, self.best = validator, validator.kept, validator.best
        self.images = parameters.precise_bn_images
        self.done = context.data.val is None

    @property
    def in_validations(self) -> float:
        """What it costs, as a multiple of a validation."""
        if self.done or self.context.data.val is None:
            return 0.0
        networks, validation = (self.images > 0) + (self.best.count > 0), len(self.context.data.val)
        improving = networks * (1 + min(self.images, len(self.context.data.train)) / validation)
        return improving + min(MOST_IMAGES, validation) / validation

    def run(self, network: SegmentationNetwork, state: TrainState) -> None:
        """Try it.

        Args:
            network: like the one that is kept; it stays as it is.
        """
        network = copy.deepcopy(network)
        renews = self.images > 0 and self._renew_norms(network, state)
        if self.best.count:
            self._average(network, state, renews)
        self.best.forget()
        self._calibrate(network, state)
        self.done = True

    def _renew_norms(self, network: SegmentationNetwork, state: TrainState) -> bool:
        """Try other statistics; whether they are kept."""
        if self.accelerator.is_main_process:
            network.network.load_state_dict(read_weights(self.context.run.weights).state_dict)
        self._share(network)
        source = self._estimate_norms(network, state)
        found = self._try(network, state, f"batch norms of {source}")
        good = found.score >= found.before
        if good:
            self._keep(network, found, state, f"batch norms of {source}")
        return good

    def _average(self, network: SegmentationNetwork, state: TrainState, renews: bool) -> None:
        """Try the mean of the best networks.

        Args:
            renews: with the statistics of training images.
        """
        members: list[Scored] = []
        if self.accelerator.is_main_process:
            members = self._load_mean(network)
        if largest(self.accelerator, float(len(members))) < 2:
            return
        self._share(network)
        norms = f"batch norms of {self._estimate_norms(network, state)}" if renews else ""
        epochs = sorted(one.epoch for one in members)
        found = self._try(network, state, f"mean of the networks of epochs {listed(epochs)}")
        if found.score > found.before:
            self.kept.choice, self.kept.averaged = "", tuple(epochs)
            higher = f"{found.score - found.before:.4f} higher than that of epoch {state.best_epoch} alone"
            self._keep(network, found, state, f"its {self.validator.metric.name} is {higher}", norms)

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

    def _estimate_norms(self, network: SegmentationNetwork, state: TrainState) -> str:
        """Estimate the statistics of a network's norms on training images; how many, in words.

        The images are seen as in evaluation, whole and unchanged: that is what the network will work on. Every process
        does the same with the same images, so that norms that exchange statistics find a partner.
        """
        train = self.context.data.train
        chosen, batch_size = chosen_images(len(train), self.images, state.batch_size, self.context.seed)
        subset = replace(train, samples=tuple(train.samples[index] for index in chosen))
        size, device = self.context.template.input_size, self.accelerator.device
        with evaluation_loader(subset, size, batch_size, self.workers) as loader:
            estimate_norms(network, (batch["image"].to(device) for batch in loader))
        return count(len(chosen), "training image")

    def _calibrate(self, network: SegmentationNetwork, state: TrainState) -> None:
        """Fit the temperature of the network that is kept, on the first process."""
        subset, template = self.context.data.val, self.context.template
        if not self.accelerator.is_main_process or subset is None:
            return
        network.network.load_state_dict(read_weights(self.context.run.weights).state_dict)
        predictor = TorchPredictor(network, subset.labels, template.input_size, template)
        found = calibrate(predictor, subset, state.batch_size, self.workers, self.context.seed)
        if found is not None:
            self.kept.calibrate(found.temperature)
            logger.info("%s", found)

    def _share(self, network: SegmentationNetwork) -> None:
        """Give all processes the network of the first."""
        if self.accelerator.num_processes > 1:
            for tensor in network.state_dict().values():
                torch.distributed.broadcast(tensor, src=0)

    def _try(self, network: SegmentationNetwork, state: TrainState, what: str) -> _Tried:
        """Score a network, and say how it compares with the one that is kept."""
        counts, metric = self.validator.count(network, state), self.validator.metric
        score = metric.of(scores(counts.confusion, self.context.data.train.labels))
        logger.info("%s: %s %.4f, before %.4f", what, metric.name, score, state.best_score)
        return _Tried(counts, score, state.best_score)

    def _keep(self, network: SegmentationNetwork, found: _Tried, state: TrainState, *why: str) -> None:
        state.best_score = found.score
        self.kept.choice = "; ".join(filter(None, (self.kept.choice, *why)))
        self.kept.keep(network, found.counts)


def chosen_images(available: int, wanted: int, batch_size: int, seed: int) -> tuple[list[int], int]:
    """Positions of the images that statistics are taken from, and how many of them are a batch.

    They fill whole batches, so that all images count alike; of fewer than a batch there is one.
    """
    order = np.resize(np.random.default_rng(seed).permutation(available), max(available, 2))
    number = min(len(order), wanted)
    batch_size = min(max(batch_size, 2), number)  # norms of single values refuse single images
    chosen = order[: number // batch_size * batch_size]
    return [int(index) for index in chosen], batch_size
