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
from otx_seg.labels import Labels, background_index, default_colors, labels_from_plain, labels_to_plain
from otx_seg.template import Template, from_dict
from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.model_file import check_model_file

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


@dataclass(frozen=True)
class BackboneFile:
    """What `weights.pth` holds after self-supervised training.

    Attributes:
        state_dict: the backbone's tensors under their names in it, float32.
        template: the template it was trained with.
    """

    state_dict: dict[str, Tensor]
    template: Template


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
    if path.is_dir():
        check_model_file(path, (".pth",))
    if not path.is_file():
        raise UsageError(f"{path}: there is no such weights file")
    if path.suffix.lower() in (".xml", ".bin", ".onnx"):
        raise UsageError(f"{path}: is part of an exported model; give the .pth that `otx train` wrote")
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
    found = read_start(path)
    if isinstance(found, BackboneFile):
        raise UsageError(
            f"{path}: holds a backbone alone, from self-supervised training; train on labelled images first: "
            + otx_command("train", "--load-weights", path, "--train-data-roots", "FOLDER")
        )
    return found


def read_start(path: Path) -> WeightsFile | BackboneFile:
    """What another training can begin with: a file written by `write_weights`, by OTX 1.x, or by `write_backbone`.

    Raises:
        UsageError: the file is no such checkpoint; the message says why.
    """
    content = read_tensors(path)
    return _backbone(content, path) if _is_backbone(content) else _whole(content, path)


def _backbone(content: Any, path: Path) -> BackboneFile:
    try:
        tensors = {key.removeprefix(_BACKBONE): value for key, value in content["model"]["state_dict"].items()}
        return BackboneFile(tensors, from_dict(content["template"], str(path)))
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: is not a whole checkpoint ({error})") from error


def _whole(content: Any, path: Path) -> WeightsFile:
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
