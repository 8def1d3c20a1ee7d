"""From a plan and its data to a training that is about to begin."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from accelerate.utils import broadcast_object_list, set_seed
from torch import nn

from otx_seg import algorithms
from otx_seg.datasets import TrainingData
from otx_seg.inference.teacher import open_teacher
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.pretrained import BackboneStart, initialise_backbone
from otx_seg.template import Template
from otx_seg.template.heads import main_head_of
from otx_seg.training.context import TrainContext
from otx_seg.training.optimizer import at_one_rate
from otx_seg.training.setup.plan import Plan
from otx_seg.training.starting_weights import load_starting_backbone, load_starting_weights
from otx_seg.training.trainer import Trainer


class Beginning(NamedTuple):
    """What a training begins with.

    Attributes:
        plan: as it was, or with other learning rates because of how the network begins.
        origin: a sentence on where its weights come from.
    """

    plan: Plan
    network: SegmentationNetwork
    origin: str


def begin(plan: Plan, data: TrainingData) -> Beginning:
    """The network that a plan starts from.

    The factors of the learning rate in a template with published weights are for a backbone that has them: it learns
    slowly, to keep what it knows. One with random weights learns as fast as what learns fastest.

    Raises:
        UsageError: the network cannot be built, or the weights to start from do not fit it.
        OtxError: weights that are required cannot be had.
    """
    network = new_network(plan.template, data)
    if plan.search is not None and plan.resumed_run is not None and plan.state is None:
        return Beginning(plan, network, "resuming the search, from its initial weights")
    start = _initial_weights(network.network, data, plan)
    # DistributedDataParallel gives all processes the weights of the first one, so its rates go with them.
    learned = broadcast_object_list([start.learned])[0]
    if learned or not plan.template.pretrained.exists:
        return Beginning(plan, network, start.told)
    even = at_one_rate(plan.template, network.network)
    told = start.told if even == plan.template else f"{start.told}, and learns as fast as the rest of the network"
    return Beginning(replace(plan, template=even), network, told)


def new_network(template: Template, data: TrainingData) -> SegmentationNetwork:
    """The template's network for the labels of the data, with random weights.

    Where only its backbone is trained, it has as many labels as the template.

    Raises:
        UsageError: it cannot be built.
    """
    if template.hyper_parameters.algo_backend.train_type == "Selfsupervised":
        labels = int(main_head_of(template.model)["num_classes"])
        return SegmentationNetwork(build_model(template, labels, shipped_alone=True))
    return SegmentationNetwork(build_model(template, len(data.train.labels)))


def build_trainer(context: TrainContext, network: SegmentationNetwork, origin: str) -> Trainer:
    """A training that has made no step yet.

    Args:
        origin: how the network's weights began.

    Raises:
        UsageError: the template names an algorithm, a loss, a transform or an optimiser that cannot be built, or
            the teacher cannot teach it.
    """
    teacher = None if context.teacher is None else open_teacher(context.teacher, context.data.train.labels)
    algorithm = algorithms.build(context.template, network, context.label_weights, teacher)
    return Trainer(algorithm, context, origin)


def make_deterministic(seed: int, deterministic: bool) -> None:
    """Seed every random generator; with `deterministic`, use slower GPU kernels that repeat exactly."""
    set_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False


def _initial_weights(network: nn.Module, data: TrainingData, plan: Plan) -> BackboneStart:
    """Initialise the network."""
    if plan.state is not None:
        return BackboneStart(str(plan.state["origin"]), True)
    if plan.load_weights is not None and plan.train_type == "Selfsupervised":
        return BackboneStart(load_starting_backbone(network, plan.load_weights, plan.template), True)
    if plan.load_weights is not None:
        told = load_starting_weights(network, plan.load_weights, data.train.labels, plan.template)
        return BackboneStart(told, True)
    mode = plan.template.hyper_parameters.learning_parameters.pretrained
    return initialise_backbone(network, mode, plan.template.pretrained)
