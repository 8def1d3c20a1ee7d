"""`weights.pth`: a trained network with all that is needed to use it.

The file holds tensors and plain values only and is always read with ``weights_only=True``: a file that would
run code when loaded is refused, without a way around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, background_index, default_colors, labels_to_plain
from otx_seg.runtime.model_info import check_version, checked_labels, checked_size
from otx_seg.runtime.plain_files import number, shown
from otx_seg.runtime.written_digest import note_missing_digest
from otx_seg.template import Template, from_dict
from otx_seg.template.heads import heads_of
from otx_seg.workspace.atomic import write_json, write_tensors
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.tensor_file import open_tensors

VERSION = 1

_BACKBONE, _CLASSIFIER = "backbone.", "decode_head.conv_seg.weight"
_CLASSIFIERS = re.compile(r"decode_head(\.\d+)?\.conv_seg\.weight")
_VARIANCE = "running_var"
_DIGEST = "digest"
HIGHEST_TEMPERATURE = 5.0
"""Of a network's calibration; the lowest is its reciprocal. Beyond, all labels are nearly equal, or the probabilities
of all but one are too small to be told from 0."""

_REMEDY = "take the file as `otx train` wrote it, or train again"


@dataclass(frozen=True)
class WeightsFile:
    """What `weights.pth` holds.

    Attributes:
        state_dict: the network's ``backbone.*``, ``decode_head.*`` and ``auxiliary_head.*`` tensors, float32.
        template: the template it was trained with, or None for a file written by OTX 1.x, which keeps none.
        input_size: (height, width) in pixels of the network's input.
        origin: how training began ("random initialisation", or which weights it started from).
        has_digest: whether the file is known to be as it was written.
        temperature: by which its logits are divided for calibrated confidences.
    """

    state_dict: dict[str, Tensor]
    labels: Labels
    template: Template | None
    input_size: tuple[int, int]
    origin: str
    has_digest: bool = True
    temperature: float = 1.0


@dataclass(frozen=True)
class BackboneFile:
    """What `weights.pth` holds after self-supervised training.

    Attributes:
        state_dict: the backbone's tensors under their names in it, float32.
        template: the template it was trained with.
    """

    state_dict: dict[str, Tensor]
    template: Template


def write_backbone(path: Path, state_dict: dict[str, Tensor], template: Template, origin: str) -> None:
    """Write a trained backbone atomically, for another training to begin with.

    Args:
        state_dict: the backbone's tensors, under their names in it.
        template, origin: see `WeightsFile`.

    Raises:
        OSError: the file cannot be written.
    """
    write_weights(path, {_BACKBONE + key: value for key, value in state_dict.items()}, None, template, origin)


def write_weights(
    path: Path,
    state_dict: dict[str, Tensor],
    labels: Labels | None,
    template: Template,
    origin: str,
    temperature: float = 1.0,
) -> None:
    """Write a trained network atomically; see `WeightsFile` for the arguments.

    Args:
        labels: None: it is a backbone alone.

    Raises:
        OSError: the file cannot be written.
    """
    content = {
        "model": {"state_dict": {key: value.detach().cpu().clone() for key, value in state_dict.items()}},
        "labels": None if labels is None else labels_to_plain(labels),
        "template": template.as_dict(),
        "input_size": list(template.input_size),
        "origin": origin,
        "temperature": temperature,
        "version": VERSION,
        _DIGEST: "SHA-256, the comment of this zip",
    }
    write_tensors(path, content)


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
    content, has_digest = open_tensors(path)
    is_backbone = isinstance(content, dict) and "version" in content and content.get("labels", ()) is None
    try:
        found = _backbone(content, path) if is_backbone else _whole(content, path, has_digest)
    except KeyError as error:
        what = "is not a whole checkpoint" if is_backbone else "is a checkpoint, but not one of a segmentation model"
        raise UsageError(f"{path}: {what}: it has no {error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}; {_REMEDY}") from error
    if not has_digest and _DIGEST in content:
        raise UsageError(
            f"{path}: was changed after it was written: its digest is missing; restore the file, or, if it was "
            f"changed deliberately, save it without its entry {_DIGEST!r}"
        )
    if not has_digest and "version" in content:
        note_missing_digest(path)
    return found


def _backbone(content: Any, path: Path) -> BackboneFile:
    check_version(content["version"], VERSION, path)
    tensors = {key.removeprefix(_BACKBONE): value for key, value in _state_dict(content).items()}
    return BackboneFile(tensors, from_dict(content["template"], str(path)))


def _whole(content: Any, path: Path, has_digest: bool) -> WeightsFile:
    state_dict = _state_dict(content)
    classifiers = {key: value for key, value in state_dict.items() if _CLASSIFIERS.fullmatch(key)}
    if not classifiers or any(classifier.ndim == 0 for classifier in classifiers.values()):
        raise UsageError(f"{path}: is a checkpoint, but not one of a segmentation model: it has no {_CLASSIFIER}")
    if "version" not in content:
        return _from_otx_1(content, state_dict)
    check_version(content["version"], VERSION, path)
    labels = checked_labels(content["labels"])
    template = from_dict(content["template"], str(path))
    size, origin = checked_size(content["input_size"]), content["origin"]
    if size != template.input_size:
        raise ValueError(f"input_size is {size}, but {template.input_size} in its template")
    if not isinstance(origin, str):
        raise ValueError(f"origin is {shown(origin)}, not text")
    main = f"{heads_of(template.model)[0].key}.conv_seg.weight"
    is_binary = template.hyper_parameters.learning_parameters.binary and len(labels) == 2
    for key, classifier in classifiers.items():
        if len(classifier) != (1 if is_binary and key == main else len(labels)):
            raise UsageError(f"{path}: has {len(classifier)} outputs but names {len(labels)} labels")
    temperature = number(
        content.get("temperature", 1.0), 1 / HIGHEST_TEMPERATURE, HIGHEST_TEMPERATURE, "temperature"
    )  # an earlier version had none
    return WeightsFile(state_dict, labels, template, size, origin, has_digest, temperature)


def _state_dict(content: Any) -> dict[str, Tensor]:
    """The tensors of a network by name.

    Raises:
        KeyError, ValueError: there are none.
    """
    model = content["model"] if isinstance(content, dict) else None
    found = model["state_dict"] if isinstance(model, dict) else None
    if not isinstance(found, dict):
        raise ValueError("is a checkpoint, but not one of a segmentation model: it holds no network")
    odd = next((key for key, value in found.items() if not (isinstance(key, str) and isinstance(value, Tensor))), None)
    if odd is not None:
        raise ValueError(f"model.state_dict holds {shown(odd)}: {shown(found[odd])}, no named tensor")
    odd = next((key for key, value in found.items() if key.endswith(_VARIANCE) and bool((value < 0).any())), None)
    if odd is not None:
        raise ValueError(f"the tensor {shown(odd)} holds variances below 0")
    return found


def _from_otx_1(content: dict[str, Any], state_dict: dict[str, Tensor]) -> WeightsFile:
    """OTX 1.x names its labels without the background, which is always output 0."""
    named, classes = content["labels"], len(state_dict[_CLASSIFIER])
    names = tuple(named) if isinstance(named, (list, tuple, dict)) else ()
    if all(isinstance(name, str) for name in names) and classes == len(names) + 1:
        names = ("background", *names)
    if classes != len(names):
        raise ValueError(f"has {classes} outputs, but labels are {shown(named)}")
    plain = {"names": names, "colors": default_colors(len(names)), "background": background_index(names)}
    size = checked_size(content.get("input_size") or (544, 544))
    return WeightsFile(state_dict, checked_labels(plain), None, size, "a checkpoint of OTX 1.x", has_digest=False)


def write_label_schema(path: Path, labels: Labels) -> None:
    """Write the labels to `path`, for people and programs that do not read the weights."""
    write_json(path, labels_to_plain(labels))
