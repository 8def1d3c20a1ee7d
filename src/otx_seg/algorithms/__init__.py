"""Learning algorithms: what one optimisation step does, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from otx_seg.algorithms.build_losses import build_distillation_loss, build_losses
from otx_seg.algorithms.detcon import DetCon
from otx_seg.algorithms.distillation import Distillation
from otx_seg.algorithms.mean_teacher import MeanTeacher
from otx_seg.algorithms.pixel_losses import OutputLosses, PixelLosses, WeightedLoss
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.algorithms.prototypes import Prototypes
from otx_seg.algorithms.quantization_aware import QuantizationAware
from otx_seg.algorithms.supcon import SupCon
from otx_seg.algorithms.supervised import Supervised
from otx_seg.inference.teacher import Teacher
from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template
from otx_seg.template.extending import Origin
from otx_seg.template.heads import MAIN, refuse_unequal_outputs
from otx_seg.template.hyper_parameters import HyperParameters


class Algorithm(Protocol):
    """What the training loop needs of an algorithm, which is an ``nn.Module`` as well.

    Attributes:
        views: names of the entries of a batch it reads.
        idle_parameters: whether there are steps that leave some trained parameters without a gradient.
    """

    views: tuple[str, ...]
    idle_parameters: bool

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]: ...

    def after_step(self) -> None: ...

    def deployable(self) -> nn.Module: ...


def build(
    template: Template, network: SegmentationNetwork, label_weights: Sequence[float], teacher: Teacher | None = None
) -> Any:
    """Construct the algorithm of a template; an `Algorithm` that is an ``nn.Module``.

    Args:
        network: what is trained, initialised.
        label_weights: how much the pixels of each label count, for losses that want to know it; none are needed where
            no image is labelled.
        teacher: a trained model to learn from too; not in self-supervised training.

    Raises:
        UsageError: the template names an unknown loss, or there is an output without one.
    """
    parameters = template.hyper_parameters
    train_type, supcon = parameters.algo_backend.train_type, parameters.learning_parameters.enable_supcon
    if train_type == "Selfsupervised":
        network.network.requires_grad_(False)
        network.network.backbone.requires_grad_(True)
        return DetCon(network, **parameters.region_contrast.model_dump())
    refuse_unequal_outputs(template.model, template.losses_by_output, Origin.one(f"template {template.name}"))
    channels = network.channels.items()
    losses = OutputLosses({name: build_losses(template, name, number, label_weights) for name, number in channels})
    distillation = None
    if teacher is not None:
        loss = build_distillation_loss(parameters.distillation)
        distillation = Distillation(teacher, loss, parameters.distillation.weight)
    if train_type == "Semisupervised":
        return _build_mean_teacher(parameters, network, losses, distillation)
    if supcon:
        detcon = DetCon(network, **parameters.region_contrast.model_dump())
        settings = parameters.supervised_contrast.model_dump()
        return SupCon(network, losses, detcon, **settings, distillation=distillation)
    return Supervised(network, losses, distillation)


def build_quantization_aware(
    template: Template, network: SegmentationNetwork, label_weights: Sequence[float]
) -> QuantizationAware:
    """Construct the algorithm that fine-tunes a quantised network, with a template's losses of the main output.

    Args:
        network, label_weights: see `build`.

    Raises:
        UsageError: the template names an unknown loss.
    """
    losses = build_losses(template, MAIN, network.channels[MAIN], label_weights)
    return QuantizationAware(network, losses, template.hyper_parameters.nncf_optimization.batch_norm_epochs)


def _build_mean_teacher(
    parameters: HyperParameters, network: SegmentationNetwork, losses: OutputLosses, distillation: Distillation | None
) -> MeanTeacher:
    settings, wanted = parameters.semi_supervised.model_dump(), parameters.prototypes.model_dump()
    # The teacher has learned the weights of the labels from the masks: its labels are learned without.
    labels = network.main_head.num_classes
    pseudo_losses = PixelLosses([WeightedLoss(1.0, CrossEntropy([1.0] * labels))])
    prototype_weight, prototypes, detcon = wanted.pop("weight"), None, None
    learns_from_unlabelled = settings["unsupervised_weight"] > 0
    if settings.pop("use_prototypes") and learns_from_unlabelled:
        prototypes = Prototypes(network.main_head.conv_seg.in_channels, labels, **wanted)
    if settings["contrast_weight"] > 0 and learns_from_unlabelled:
        detcon = DetCon(network, **parameters.region_contrast.model_dump())
    settings["distillation"] = distillation
    return MeanTeacher(network, losses, pseudo_losses, prototypes, prototype_weight, detcon, **settings)
