"""Learning algorithms: what one optimisation step does, one file each."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from otx_seg import catalogue
from otx_seg.algorithms.supervised import Supervised
from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template


class Algorithm(Protocol):
    """What the training loop needs of an algorithm, which is an ``nn.Module`` as well.

    Attributes:
        views: names of the entries of a batch it reads.
    """

    views: tuple[str, ...]

    def training_step(self, batch: dict[str, dict[str, Any]]) -> dict[str, Tensor]: ...

    def after_step(self) -> None: ...

    def deployable(self) -> nn.Module: ...


def build(template: Template, labels: Labels) -> Supervised:
    """Construct the algorithm a template asks for, around a newly initialised network.

    Raises:
        UsageError: the template names an unknown network part or loss.
    """
    network = SegmentationNetwork(build_model(template, len(labels)))
    losses = []
    for number, arguments in enumerate(template.losses):
        where = f"template {template.name}: losses[{number}]"
        arguments = dict(arguments)
        weight = arguments.pop("weight", None)
        if not isinstance(weight, (int, float)):
            raise UsageError(f"{where}: needs a number as weight, not {weight!r}")
        losses.append((float(weight), catalogue.build("otx_seg.losses", arguments, where)))
    return Supervised(network, losses)
