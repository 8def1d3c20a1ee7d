"""The model in a package made by `otx deploy`: ``model.xml``, ``model.bin`` and what ``config.json`` says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import labels_from_plain, labels_to_plain
from otx_seg.runtime.model_info import BLUR_STRENGTH, LABELS, SOFT_THRESHOLD, ModelInfo
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor

MODEL_XML, MODEL_BIN, CONFIG = "model.xml", "model.bin", "config.json"


def config_of(info: ModelInfo) -> dict[str, Any]:
    """What `config.json` holds."""
    return {
        "type_of_model": "Segmentation",
        "converter_type": "SEGMENTATION",
        "model_parameters": {
            SOFT_THRESHOLD: info.post_processing.soft_threshold,
            BLUR_STRENGTH: info.post_processing.blur_strength,
            "labels": labels_to_plain(info.labels),
        },
    }


def entries_from_config(text: str | bytes, path: Path) -> dict[str, str]:
    """The entries of a model's `model_info` that a `config.json` replaces.

    Args:
        text: its content.
        path: for messages.

    Raises:
        UsageError: it is damaged, or of another kind of model.
    """
    try:
        config = json.loads(text)
        kind, parameters = config["converter_type"], config["model_parameters"]
        labels = labels_from_plain(parameters["labels"])
        if kind != "SEGMENTATION":
            raise UsageError(f"{path}: describes a model for {kind!r}, not for semantic segmentation")
        if len(labels.names) != len(labels.colors):
            raise ValueError(f"{len(labels.names)} labels, {len(labels.colors)} colors")
        return {
            LABELS: json.dumps(labels_to_plain(labels)),
            SOFT_THRESHOLD: str(float(parameters[SOFT_THRESHOLD])),
            BLUR_STRENGTH: str(int(parameters[BLUR_STRENGTH])),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: is no config.json of a handed-over model ({error})") from error


def open_handed_over(path: str | Path, device: str = "CPU") -> OpenVinoPredictor:
    """The model in the folder `model` of an unpacked package.

    Args:
        path: the folder, or the ``.xml`` in it. A `config.json` beside the model goes before what the model carries.
        device: ``CPU``, ``GPU`` or another device that OpenVINO finds.

    Raises:
        UsageError: there is no model, it is damaged, or there is no such device.
    """
    path = Path(path)
    xml = path / MODEL_XML if path.is_dir() else path
    if not xml.is_file():
        raise UsageError(f"{xml}: there is no such model")
    config = xml.with_name(CONFIG)
    entries = entries_from_config(config.read_bytes(), config) if config.is_file() else {}
    return OpenVinoPredictor(xml, device, entries=entries)
