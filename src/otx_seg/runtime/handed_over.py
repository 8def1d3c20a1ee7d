"""The model in a package made by `otx deploy`: ``model.xml``, ``model.bin`` and what ``config.json`` says of them."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import labels_to_plain
from otx_seg.runtime.model_info import (
    BLUR_STRENGTH,
    LABELS,
    SOFT_THRESHOLD,
    ModelInfo,
    check_version,
    checked_labels,
    checked_post_processing,
    plain_post_processing,
)
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor, read_ir
from otx_seg.runtime.plain_files import parse_json, read_text, shown
from otx_seg.runtime.written_digest import DIGEST

logger = logging.getLogger(__name__)

MODEL_XML, MODEL_BIN, CONFIG = "model.xml", "model.bin", "config.json"
MOST_BYTES_OF_CONFIG = 1 << 20

_KIND, _DIGESTS, _KNOWN_VERSION = "SEGMENTATION", "sha256", 1
_EXPECTED = "take the config.json that `otx deploy` wrote"


def config_of(info: ModelInfo, xml: bytes, binary: bytes) -> dict[str, Any]:
    """What `config.json` says of a model whose files are `xml` and `binary`."""
    threshold, blur = plain_post_processing(info.post_processing)
    parameters = {SOFT_THRESHOLD: threshold, BLUR_STRENGTH: blur, "labels": labels_to_plain(info.labels)}
    return {
        "type_of_model": "Segmentation",
        "converter_type": _KIND,
        "model_parameters": parameters,
        "version": _KNOWN_VERSION,
        _DIGESTS: _digests(xml, binary, parameters),
    }


def _digests(xml: bytes, binary: bytes, parameters: dict[str, Any]) -> dict[str, str]:
    """By names of files; that of `config.json` is of the parameters in it, however they are laid out."""
    contents = {MODEL_XML: xml, MODEL_BIN: binary, CONFIG: json.dumps(parameters, sort_keys=True).encode()}
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def entries_from_config(text: str | bytes, path: Path, xml: bytes, binary: bytes) -> dict[str, str | None]:
    """The entries of a model's `model_info` that a `config.json` replaces.

    Args:
        text: its content.
        path: for messages.
        xml, binary: the model's files, compared with the digests in it; where it has none, nothing that these say of
            theirs counts. That its own values are not those that were written is only told: who got a package may
            change them.

    Raises:
        UsageError: it is damaged, or of another kind of model, or the model is another than it was written for.
    """
    config = parse_json(text, path, _EXPECTED, UsageError)
    try:
        if not isinstance(config, dict):
            raise ValueError(f"it holds {shown(config)}, not a mapping")
        check_version(config.get("version", _KNOWN_VERSION), _KNOWN_VERSION, path)
        kind, parameters = (_value(config, key) for key in ("converter_type", "model_parameters"))
        if kind != _KIND:
            raise UsageError(f"{path}: describes a model for {shown(kind)}, not for semantic segmentation")
        if not isinstance(parameters, dict):
            raise ValueError(f"model_parameters are {shown(parameters)}, not a mapping")
        labels = checked_labels(_value(parameters, "labels"))
        known = checked_post_processing(*(_value(parameters, key) for key in (SOFT_THRESHOLD, BLUR_STRENGTH)))
    except ValueError as error:
        raise UsageError(f"{path}: {error}; {_EXPECTED}") from error
    entries: dict[str, str | None] = {
        LABELS: json.dumps(labels_to_plain(labels)),
        SOFT_THRESHOLD: str(known.soft_threshold),
        BLUR_STRENGTH: str(known.blur_strength),
    }
    if config.get(_DIGESTS) is None:
        return {**entries, DIGEST: None}
    _compare(config[_DIGESTS], _digests(xml, binary, parameters), path)
    return entries


def _compare(written: Any, found: dict[str, str], path: Path) -> None:
    if not isinstance(written, dict) or {**written, CONFIG: found[CONFIG]} != found:
        raise UsageError(
            f"{path}: the {_DIGESTS} in it are not those of {MODEL_XML} and {MODEL_BIN}: one of the files is damaged "
            "or was changed after it was written; unpack the zip of `otx deploy` again, or create it again"
        )
    if written.get(CONFIG, found[CONFIG]) != found[CONFIG]:  # a package of before has none
        logger.warning("%s: labels or thresholds in it were changed after it was written; they are used", path)


def _value(content: dict[str, Any], key: str) -> Any:
    if key not in content:
        raise ValueError(f"it has no {key!r}")
    return content[key]


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
    if not config.is_file():
        return OpenVinoPredictor(xml, device)
    model = read_ir(xml)
    files = (xml.read_bytes(), xml.with_suffix(".bin").read_bytes())
    entries = entries_from_config(read_text(config, UsageError, MOST_BYTES_OF_CONFIG), config, *files)
    entries.pop(DIGEST, None)  # `read_ir` has compared it
    return OpenVinoPredictor(xml, device, model=model, entries=entries)
