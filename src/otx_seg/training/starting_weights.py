"""Weights of another model as the beginning of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.models.network import log_odds, two_logits
from otx_seg.models.quantized_conv import quantized_layers
from otx_seg.template import Template
from otx_seg.template.heads import heads_of, heads_with_labels, is_deployed
from otx_seg.workspace.tensor_file import same_kind, unlike
from otx_seg.workspace.weights import BackboneFile, read_start


def load_starting_weights(network: nn.Module, path: Path, labels: Labels, template: Template) -> str:
    """Load `weights.pth` into a network, mapping the rows of its classifier by label name.

    A backbone from self-supervised training goes into the network's backbone.

    Args:
        network: MMSegmentation network with as many outputs as there are `labels`.

    Returns:
        What was taken over: which labels were kept and which are new.

    Raises:
        UsageError: the file is no checkpoint, or is of another network.
    """
    weights = read_start(path)
    rounded = quantized_layers(weights.state_dict)
    if isinstance(weights, BackboneFile):
        return _load_backbone(network, weights.state_dict, weights.template, path, template)
    if weights.template is not None and weights.template.model != template.model:
        raise UsageError(
            f"{path}: was made from the template {weights.template.name}, whose network is not that of "
            f"{template.name}; name the template of the weights, or train without --load-weights"
        )
    own = network.state_dict()
    tensors = {key: value for key, value in weights.state_dict.items() if key in own}
    rows = {f"{head.key}.conv_seg.{part}" for head in heads_with_labels(template.model) for part in ("weight", "bias")}
    missing = [key for key in own if key not in tensors and not key.endswith("num_batches_tracked")]
    lacking = [key for key in missing if is_deployed(key)]
    foreign = [key for key, value in tensors.items() if not _fits(value, own[key], any_rows=key in rows)]
    if lacking or foreign:
        raise UsageError(f"{path}: does not fit the network of {template.name} (first at {(lacking or foreign)[0]})")
    for key in rows & tensors.keys():
        tensors[key] = _map_rows(tensors[key], weights.labels, own[key], labels)
    network.load_state_dict(tensors, strict=False)
    kept = [name for name in labels.names if name in weights.labels.names]
    new = [name for name in labels.names if name not in weights.labels.names]
    dropped = [name for name in weights.labels.names if name not in labels.names]
    text = f"weights of {path}: labels matched: {', '.join(kept) or 'none'}"
    text += f"; new: {', '.join(new)}" if new else ""
    text += f"; in floating point, as the training is: {len(rounded)} layers were quantised" if rounded else ""
    begun = [head.output for head in heads_of(template.model) if any(key.startswith(head.key) for key in missing)]
    text += f"; random, because the file has none: {', '.join(begun)}" if begun else ""
    if dropped:
        text += f"; dropped: {', '.join(dropped)} (learning_parameters.task_adapt=merge keeps them)"
    return text


def load_starting_backbone(network: nn.Module, path: Path, template: Template) -> str:
    """Load the backbone alone, of `weights.pth` or of what self-supervised training leaves.

    Returns:
        What was taken over.

    Raises:
        UsageError: the file is no checkpoint, or its backbone is another one.
    """
    found = read_start(path)
    tensors = found.state_dict
    if not isinstance(found, BackboneFile):
        prefix = "backbone."
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    return _load_backbone(network, tensors, found.template or template, path, template)


def _load_backbone(
    network: nn.Module, tensors: dict[str, Tensor], made_from: Template, path: Path, template: Template
) -> str:
    if made_from.model["backbone"] != template.model["backbone"]:
        raise UsageError(
            f"{path}: holds the backbone of the template {made_from.name}, which is not that of {template.name}; name "
            "the template of the weights, or train without --load-weights"
        )
    backbone: Any = network.backbone
    own = backbone.state_dict()
    wrong = next(unlike(tensors, own), None)
    if wrong is not None:
        raise UsageError(f"{path}: does not fit the backbone of {template.name} (first at {wrong})")
    backbone.load_state_dict({key: tensors[key] for key in own})
    return f"the backbone of {path}"


def _fits(value: Tensor, own: Tensor, any_rows: bool) -> bool:
    first = 1 if any_rows else 0
    return value.shape[first:] == own.shape[first:] and same_kind(value, own)


def _map_rows(rows: Tensor, old: Labels, own: Tensor, new: Labels) -> Tensor:
    """The old classifier row of each known label; the network's own initialisation for the others."""
    mapped, known = _row_of_each(own, new).clone(), _row_of_each(rows, old)
    for index, name in enumerate(new.names):
        if name in old.names:
            mapped[index] = known[old.names.index(name)].to(torch.float32)
    return mapped if len(own) == len(new) else log_odds(mapped[None])[0]


def _row_of_each(rows: Tensor, labels: Labels) -> Tensor:
    """The classifier rows of the labels; the one row of a binary classifier is that of the log-odds of label 1."""
    return rows if len(rows) == len(labels) else two_logits(rows[None])[0]
