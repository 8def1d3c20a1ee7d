"""Puts another backbone into a template and fits the heads to it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.models.build import FAULTS, build_model, said
from otx_seg.models.complexity import measure
from otx_seg.models.known_backbones import ChosenBackbone
from otx_seg.models.network import SegmentationNetwork, SegmentationOutput
from otx_seg.template import Template
from otx_seg.template.heads import Head, heads_of, main_head_of, with_heads

_SIZE = (128, 128)  # pixels: the coarsest of the usual strides, 32, still leaves a few positions
_FEWEST = 2  # levels under a head that merges several


@dataclass(frozen=True)
class Level:
    """One of the feature maps a backbone gives: channels, and pixels of the image per position."""

    channels: int
    stride: float


def with_backbone(template: Template, chosen: ChosenBackbone) -> Template:
    """The template with another backbone.

    1. The strides of the levels that each head has used so far are looked up with a forward pass.
    2. Of the new backbone's levels, the deepest at each of these strides are used, the finest first.
    3. The heads get their indices and channels.
    4. The network is built and makes a training step.

    The learning parameters stay as they are.

    Raises:
        UsageError: the backbone cannot be built, gives no feature maps or others in training, or does not go with the
            head.
    """
    for head in heads_of(template.model):
        if not isinstance(head.config, dict) or "in_channels" not in head.config:
            raise UsageError(
                f"template {template.name}: model.{head.key} has no in_channels to fit to another backbone"
            )
    size = (template.input_sizes.nearest(_SIZE[0]),) * 2
    used = levels_of(build_model(template, 2).backbone, template.name, size)
    new = template.model_copy(update=_identity(template, chosen))
    # The heads of this network do not fit it yet: only the backbone is looked at.
    levels = levels_of(build_model(new, 2).backbone, chosen.name, size)

    def fitted(head: Head) -> dict[str, Any]:
        strides = [level.stride for level in _chosen_levels(used, head.config.get("in_index", -1))]
        indices = fitting_levels(levels, strides)
        channels = [levels[index].channels for index in indices]
        if isinstance(head.config["in_channels"], int):
            return {**head.config, "in_index": indices[-1], "in_channels": channels[-1]}
        return {**head.config, "in_index": indices, "in_channels": channels}

    new = new.model_copy(update={"model": with_heads(new.model, fitted)})
    network = build_model(new, 2)
    misfit = f"the backbone {chosen.name} does not go with the template's head"
    _take_a_step(SegmentationNetwork(network), misfit, size)
    measured = measure(build_model(new, 2, shipped_alone=True))
    numbers = {
        "gigaflops": round(measured.gigaflops, 2),
        "parameter_count": measured.parameters,
        "size_mb": round(measured.size_mb, 2),
        "output_stride": measured.output_stride,
    }
    return new.model_copy(update=numbers)


def try_network(template: Template) -> EncoderDecoder:
    """Build the network of an edited template and let it make a step, before the data is read.

    Returns:
        The network, for two labels.

    Raises:
        UsageError: it cannot be built, its head does not fit its backbone, it cannot be trained, or not with the
            smallest input that the template allows.
    """
    side = template.input_sizes.nearest(template.smallest_input)
    try:
        return _try_at(template, (side, side))
    except UsageError as error:
        if template.input_size != (side, side):
            _try_at(template, template.input_size)
            known = f"smallest_input (now {template.smallest_input}) and size_divisor (now {template.size_divisor})"
            raise UsageError(
                f"{error}; larger images it takes: say in the template from which size on, by {known}"
            ) from error
        raise


def _try_at(template: Template, size: tuple[int, int]) -> EncoderDecoder:
    network = build_model(template, 2)
    name = f"{template.model['backbone']['type']} of template {template.name}"
    levels = levels_of(network.backbone, name, size)
    heads = heads_of(template.model)
    for head in heads:
        _check_levels(head, levels, f"template {template.name}: model.{head.key}")
    keys = " or ".join(f"model.{head.key}" for head in heads)
    misfit = f"template {template.name}: {keys} does not go with model.backbone"
    _take_a_step(SegmentationNetwork(network), misfit, size)
    return network


def _check_levels(head: Head, levels: Sequence[Level], where: str) -> None:
    """
    Raises:
        UsageError: a head takes other feature maps than the backbone gives.
    """
    index, channels = head.config.get("in_index", -1), head.config.get("in_channels")
    try:
        chosen = [level.channels for level in _chosen_levels(levels, index)]
    except (IndexError, TypeError) as error:
        known = f"it numbers the {len(levels)} feature maps that model.backbone gives, from 0"
        raise UsageError(f"{where}.in_index is {index!r}; {known}") from error
    given = chosen[0] if isinstance(index, int) else chosen
    if channels not in (None, given):
        raise UsageError(
            f"{where}.in_channels is {channels}, but the feature maps that model.backbone gives at in_index {index} "
            f"have {given}"
        )


def _identity(template: Template, chosen: ChosenBackbone) -> dict[str, Any]:
    head = main_head_of(template.model)["type"].removesuffix("Head")
    normalisation = chosen.normalisation or template.model["data_preprocessor"]
    name = f"{chosen.name}-{head}"
    return {
        "name": name,
        "id": f"Custom_Semantic_Segmentation_{name}",
        "category": "OTHER",
        "default": False,
        "summary": f"The backbone {chosen.name} with the head and the learning parameters of another template.",
        "model": copy.deepcopy({**template.model, "backbone": chosen.config, "data_preprocessor": normalisation}),
        "pretrained": chosen.weights,
    }


def _chosen_levels(levels: Sequence[Level], in_index: int | Sequence[int]) -> list[Level]:
    indices = [in_index] if isinstance(in_index, int) else in_index
    return [levels[index] for index in indices]


@torch.no_grad()
def levels_of(backbone: nn.Module, name: str, size: tuple[int, int] = _SIZE) -> list[Level]:
    """What a backbone gives for images of (height, width) pixels, in its order.

    Raises:
        UsageError: it gives something else than feature maps, or something else in training than afterwards.
    """
    images = torch.zeros(2, 3, *size)
    found = []
    for training in (False, True):
        backbone.train(training)  # some of mmseg's backbones return nothing here
        try:
            maps = backbone(images)
        except FAULTS as error:
            raise UsageError(
                f"the backbone {name} fails on images of {size[0]}x{size[1]} pixels: {said(error)}"
            ) from error
        if not isinstance(maps, (list, tuple)) or not all(isinstance(item, Tensor) and item.ndim == 4 for item in maps):
            raise UsageError(f"the backbone {name} gives no list of feature maps, which a head needs")
        found.append([Level(item.shape[1], size[0] / item.shape[2]) for item in maps])
    if found[0] != found[1]:
        raise UsageError(f"the backbone {name} gives other features in training than afterwards")
    return found[0]


def fitting_levels(levels: Sequence[Level], strides: Sequence[float]) -> list[int]:
    """The levels a head merges, the finest first.

    The deepest level at each of the strides; where the backbone has fewer than two of these strides, its next finer
    levels, and then its coarser ones, as well.

    Args:
        levels: of the new backbone.
        strides: at which the head has taken its features so far, in pixels.

    Returns:
        indices into `levels`.
    """
    deepest = {level.stride: index for index, level in enumerate(levels)}
    chosen = {stride for stride in strides if stride in deepest}
    finer = sorted((stride for stride in deepest if stride < min(strides)), reverse=True)
    coarser = sorted(stride for stride in deepest if stride not in chosen and stride > min(strides))
    for stride in (*finer, *coarser):
        if len(chosen) < _FEWEST:
            chosen.add(stride)
    return [deepest[stride] for stride in sorted(chosen)]


def has_idle_parameters(network: SegmentationNetwork) -> bool:
    """Whether a training step leaves parameters without a gradient: a backbone has some that work for those of its
    levels alone that no head looks at."""
    tried = copy.deepcopy(network).requires_grad_(True).train()
    with torch.random.fork_rng():
        try:
            _sum_of(tried.outputs(torch.randint(0, 256, (2, 3, *_SIZE)))).backward()
        except FAULTS:
            return True  # made for another size; it costs little to reckon with some
    return any(parameter.grad is None for parameter in tried.parameters())


def _take_a_step(network: SegmentationNetwork, misfit: str, size: tuple[int, int] = _SIZE) -> None:
    """
    Args:
        misfit: what to say where the network cannot be trained.

    Raises:
        UsageError: that is so.
    """
    try:
        output = network.train().outputs(torch.randint(0, 256, (2, 3, *size)))
        loss = functional.cross_entropy(output.logits, torch.randint(0, 2, (2, *size)))
        (loss + _sum_of(output)).backward()
    except FAULTS as error:
        raise UsageError(f"{misfit}: {said(error)}") from error
    if not torch.isfinite(loss):
        raise UsageError(f"{misfit}: the loss is not finite")


def _sum_of(output: SegmentationOutput) -> Tensor:
    return torch.stack([logits.sum() for logits in output.by_name().values()]).sum()
