"""`weights.pth`: a trained network with all that is needed to use it.

The file holds tensors and plain values only and is always read with ``weights_only=True``: a file that would
run code when loaded is refused, without a way around it.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, background_index, default_colors
from otx_seg.template import Template, from_dict
from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.label_schema import labels_from_plain, labels_to_plain

VERSION = 1

_BACKBONE = "backbone."


@dataclass(frozen=True)
class WeightsFile:
    """What `weights.pth` holds.

    Attributes:
        state_dict: the network's ``backbone.*`` and ``decode_head.*`` tensors, float32.
        template: the template it was trained with, or None for a file written by OTX 1.x, which keeps none.
        input_size: (height, width) in pixels of the network's input.
        origin: how training began ("random initialisation", or which weights it started from).
    """

    state_dict: dict[str, Tensor]
    labels: Labels
    template: Template | None
    input_size: tuple[int, int]
    origin: str


def write_weights(path: Path, state_dict: dict[str, Tensor], labels: Labels, template: Template, origin: str) -> None:
    """Write a trained network atomically; see `WeightsFile` for the arguments.

    Raises:
        OSError: the file cannot be written.
    """
    _write(path, state_dict, labels, template, origin)


def write_backbone(path: Path, state_dict: dict[str, Tensor], template: Template, origin: str) -> None:
    """Write a trained backbone atomically, for another training to begin with.

    Args:
        state_dict: the backbone's tensors, under their names in it.
        template, origin: see `WeightsFile`.

    Raises:
        OSError: the file cannot be written.
    """
    _write(path, {_BACKBONE + key: value for key, value in state_dict.items()}, None, template, origin)


def _write(path: Path, state_dict: dict[str, Tensor], labels: Labels | None, template: Template, origin: str) -> None:
    content = {
        "model": {"state_dict": {key: value.detach().cpu().clone() for key, value in state_dict.items()}},
        "labels": None if labels is None else labels_to_plain(labels),
        "template": template.as_dict(),
        "input_size": list(template.input_size),
        "origin": origin,
        "version": VERSION,
    }
    write_tensors(path, content)


def read_tensors(path: Path) -> Any:
    """The content of a file of tensors and plain values.

    Raises:
        UsageError: missing, no such file format, damaged, or it would run code when loaded.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file")
    with path.open("rb") as file:
        begins_as_pickle = file.read(1) == b"\x80"
    if not begins_as_pickle and not zipfile.is_zipfile(path):
        raise UsageError(f"{path}: is not a checkpoint, or is damaged")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path}: refused: it holds objects other than tensors and plain values, and loading those could run "
            "code. If you trust the file, save its tensors alone with torch.save and try again."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise UsageError(f"{path}: is not a checkpoint, or is damaged") from error


def read_weights(path: Path) -> WeightsFile:
    """Read a file written by `write_weights` or by OTX 1.x.

    Raises:
        UsageError: the file is no such checkpoint; the message says why.
    """
    content = read_tensors(path)
    if _is_backbone(content):
        raise UsageError(
            f"{path}: holds a backbone alone, from self-supervised training; train on labelled images first: otx train "
            f"--load-weights {path} --train-data-roots FOLDER"
        )
    try:
        state_dict = content["model"]["state_dict"]
        classes = state_dict["decode_head.conv_seg.weight"].shape[0]
        if "version" not in content:
            return _from_otx_1(content, state_dict, classes)
        labels = labels_from_plain(content["labels"])
        template = from_dict(content["template"], str(path))
        height, width = content["input_size"]
        origin = str(content["origin"])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UsageError(f"{path}: is a checkpoint, but not one of a segmentation model ({error})") from error
    if classes != len(labels):
        raise UsageError(f"{path}: has {classes} outputs but names {len(labels)} labels")
    return WeightsFile(state_dict, labels, template, (height, width), origin)


def read_backbone(path: Path) -> tuple[dict[str, Tensor], Template] | None:
    """The tensors of a file written by `write_backbone`, under their names in the backbone, and its template.

    Returns:
        None if the file holds something else.

    Raises:
        UsageError: as `read_tensors`, or the file is damaged.
    """
    content = read_tensors(path)
    if not _is_backbone(content):
        return None
    try:
        tensors = {key.removeprefix(_BACKBONE): value for key, value in content["model"]["state_dict"].items()}
        return tensors, from_dict(content["template"], str(path))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: is not a whole checkpoint ({error})") from error


def labels_of_weights(path: Path) -> Labels | None:
    """The labels of a network that `read_weights` reads; None for a backbone alone, which has none."""
    return read_weights(path).labels if read_backbone(path) is None else None


def template_of_weights(path: Path) -> Template | None:
    """The template that a file of either kind was made with; None for a file written by OTX 1.x."""
    backbone = read_backbone(path)
    return read_weights(path).template if backbone is None else backbone[1]


def _is_backbone(content: Any) -> bool:
    return isinstance(content, dict) and "version" in content and content.get("labels", ()) is None


def _from_otx_1(content: dict[str, Any], state_dict: dict[str, Tensor], classes: int) -> WeightsFile:
    """OTX 1.x names its labels without the background, which is always output 0."""
    names = tuple(content["labels"])
    if classes == len(names) + 1:
        names = ("background", *names)
    size = content.get("input_size") or (544, 544)
    labels = Labels(names, default_colors(len(names)), background_index(names))
    return WeightsFile(state_dict, labels, None, (int(size[0]), int(size[1])), "a checkpoint of OTX 1.x")
