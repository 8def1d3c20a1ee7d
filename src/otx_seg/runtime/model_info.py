"""What an exported model carries about itself: the names OpenVINO Model API reads, and what this toolkit adds.

In an IR these are the entries of ``rt_info/model_info``, in an ONNX file the metadata ``model_info NAME``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, labels_from_plain, labels_to_plain
from otx_seg.runtime.masks import PLAIN_ARGMAX, PostProcessing

SECTION = "model_info"
LABEL_SCHEMA = "label_schema.json"
"""Name of the file with the labels beside an exported model."""

LABELS = "otx_labels"
SOFT_THRESHOLD, BLUR_STRENGTH = "soft_threshold", "blur_strength"
_TEMPLATE = "otx_template"
_INPUT_SIZE = "otx_input_size"


@dataclass(frozen=True)
class ModelInfo:
    """The labels of a model, the template it was made from, how its probabilities become a mask, and its size.

    Attributes:
        template: the resolved template as plain values, or None if the file does not tell.
        input_size: (height, width) in pixels that images are resized to, or None if the file does not tell.
    """

    labels: Labels
    template: dict[str, Any] | None
    post_processing: PostProcessing
    input_size: tuple[int, int] | None = None

    def entries(self) -> dict[str, str]:
        """What is written into the model, by the names Model API knows, ours beginning with ``otx_``."""
        entries = {
            "model_type": "Segmentation",
            # Model API's contours take the first name for mask value 1, its tiler takes their number for that of the
            # network's outputs: with the name of mask value 0 at the end, both are right. It splits the text at blanks.
            "labels": " ".join("_".join(name.split()) for name in (*self.labels.names[1:], self.labels.names[0])),
            SOFT_THRESHOLD: str(self.post_processing.soft_threshold),
            BLUR_STRENGTH: str(self.post_processing.blur_strength),
            "resize_type": "standard",
            "reverse_input_channels": "False",
            LABELS: json.dumps(labels_to_plain(self.labels), ensure_ascii=False),
        }
        if self.template is not None:
            entries[_TEMPLATE] = json.dumps(self.template, ensure_ascii=False)
        if self.input_size is not None:
            entries[_INPUT_SIZE] = "{}x{}".format(*self.input_size)
        return entries


def read_model_info(entry: Callable[[str], str | None], path: Path) -> ModelInfo:
    """Gather what a model file carries; the labels come from `label_schema.json` beside it if it carries none.

    Args:
        entry: gives the text of a `model_info` entry, or None.
        path: the model file.

    Raises:
        UsageError: there are no labels in the file nor beside it, or an entry is damaged.
    """
    try:
        return ModelInfo(
            labels=_labels(entry(LABELS), path),
            template=_plain(entry(_TEMPLATE)),
            post_processing=PostProcessing(
                float(entry(SOFT_THRESHOLD) or PLAIN_ARGMAX.soft_threshold),
                int(entry(BLUR_STRENGTH) or PLAIN_ARGMAX.blur_strength),
            ),
            input_size=_size(entry(_INPUT_SIZE)),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: its {SECTION} is damaged ({error}); export the model again") from error


def _labels(text: str | None, path: Path) -> Labels:
    if text is not None:
        return labels_from_plain(json.loads(text))
    schema = path.parent / LABEL_SCHEMA
    if schema.is_file():
        return _read_label_schema(schema)
    raise UsageError(
        f"{path}: the names of its labels are neither in it ({SECTION}/{LABELS}) nor in a {LABEL_SCHEMA} beside it. "
        "Was it made by another tool? Export it with `otx export`, or put its label_schema.json beside it."
    )


def _read_label_schema(path: Path) -> Labels:
    try:
        return labels_from_plain(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: is no label schema of this toolkit ({error})") from error


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, width = map(int, text.split("x"))
    if min(height, width) < 1:
        raise ValueError(f"{_INPUT_SIZE} {text}")
    return height, width


def _plain(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))
