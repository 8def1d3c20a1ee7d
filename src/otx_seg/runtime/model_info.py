"""What files of a model tell about it, as values that can be relied on: one schema for weights, exports and packages.

Functions called `checked_` take what stands in a file, and raise ValueError with the field, its value and what it
should be; whoever reads the file adds its name and what to do. The entries have the names that OpenVINO Model API
reads, and others for what this toolkit adds: in an IR ``rt_info/model_info``, in an ONNX file the metadata
``model_info NAME``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.labels import (
    HIGHEST_MASK_VALUE,
    IGNORE_INDEX,
    Labels,
    MaskValue,
    check_names,
    labels_called,
    labels_to_plain,
    one_value_each,
)
from otx_seg.runtime.masks import LARGEST_BLUR, PLAIN_ARGMAX, PostProcessing
from otx_seg.runtime.plain_files import number, parse_json, read_json, shown, whole_number
from otx_seg.runtime.written_digest import DIGEST, note_missing_digest

SECTION = "model_info"
LABEL_SCHEMA = "label_schema.json"
"""Name of the file with the labels beside an exported model."""
_MOST_BYTES = 1 << 20  # of that file

LABELS = "otx_labels"
SOFT_THRESHOLD, BLUR_STRENGTH = "soft_threshold", "blur_strength"
_TEMPLATE = "otx_template"
_MODEL_API_LABELS = "labels"

_AS_IT_COMES = {
    "reverse_input_channels": {"", "0", "false", "no"},
    "mean_values": {"", "0", "0.0"},
    "scale_values": {"", "1", "1.0"},
    "resize_type": {"", "standard"},
}
"""What a model may tell of how its input is made: nothing but resizing an RGB image of values 0-255. In lower case."""
_INPUT_SIZE, _VERSION, _OUTPUT = "otx_input_size", "otx_version", "otx_output"
_MASK = "mask"  # the only thing that `_OUTPUT` may say
_KNOWN_VERSION = 1
"""Of what stands in these entries; files without one are of version 1."""

LARGEST_SIDE = 8192
"""Of what a network takes, in pixels."""


def checked_labels(plain: Any) -> Labels:
    """The inverse of `labels_to_plain`: from 2 to 255 names, each with a colour, and the background among them.

    Raises:
        ValueError: they are none.
    """
    if not isinstance(plain, dict):
        raise ValueError(f"labels are {shown(plain)}, not names with colours")
    missing = next((key for key in ("names", "colors", "background") if key not in plain), None)
    if missing is not None:
        raise ValueError(f"labels have no {missing!r}")
    names, colors, background = plain["names"], plain["colors"], plain["background"]
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"names of labels are {shown(names)}, not texts")
    if not 2 <= len(names) <= IGNORE_INDEX:
        raise ValueError(f"there are {len(names)} labels; a model has from 2 to {IGNORE_INDEX}")
    check_names(names)
    if not isinstance(colors, (list, tuple)) or len(colors) != len(names):
        told = f"there are {len(colors)}" if isinstance(colors, (list, tuple)) else f"they are {shown(colors)}"
        raise ValueError(f"{len(names)} labels need {len(names)} colors; {told}")
    if background is not None:
        background = whole_number(background, 0, len(names) - 1, "the index of the background")
    return Labels(tuple(names), tuple(map(_color, colors)), background, _mask_values(plain, len(names)))


def _mask_values(plain: dict[str, Any], labels: int) -> tuple[MaskValue, ...] | None:
    """What earlier versions did not tell."""
    values = plain.get("mask_values")
    if values is None:
        return None
    if not isinstance(values, (list, tuple)) or len(values) != labels:
        raise ValueError(f"mask_values are {shown(values)}, not one for each of {labels} labels")
    found = [
        _color(value)
        if isinstance(value, (list, tuple))
        else whole_number(value, 0, HIGHEST_MASK_VALUE, "a mask value")
        for value in values
    ]
    if one_value_each(found) is None:
        raise ValueError(f"mask_values are {shown(values)}; labels have different ones, all numbers or all colors")
    return tuple(found)


def _color(plain: Any) -> tuple[int, int, int]:
    if not isinstance(plain, (list, tuple)) or len(plain) != 3:
        raise ValueError(f"a color is {shown(plain)}, not three numbers from 0 to 255")
    red, green, blue = (whole_number(value, 0, 255, f"a part of the color {shown(plain)}") for value in plain)
    return red, green, blue


def checked_size(plain: Any) -> tuple[int, int]:
    """(height, width) in pixels of what a network takes.

    Raises:
        ValueError: it is something else than two integers from 1 to `LARGEST_SIDE`.
    """
    if not isinstance(plain, (list, tuple)) or len(plain) != 2:
        raise ValueError(f"input_size is {shown(plain)}, not a height and a width")
    height, width = (whole_number(side, 1, LARGEST_SIDE, "a side of input_size") for side in plain)
    return height, width


def checked_post_processing(soft_threshold: Any, blur_strength: Any) -> PostProcessing:
    """
    Args:
        soft_threshold: from -1 to 1, or ``inf`` or ``-inf``, the values of Model API that mean none.
        blur_strength: -1, or from 1 to `LARGEST_BLUR`.

    Raises:
        ValueError: one of them is something else.
    """
    if str(soft_threshold) in ("inf", "-inf"):
        threshold = float(soft_threshold)
    else:
        threshold = number(soft_threshold, -1, 1, "soft_threshold")
    blur = whole_number(blur_strength, -1, LARGEST_BLUR, "blur_strength")
    if blur == 0:
        raise ValueError(f"blur_strength is 0; it should be -1, or from 1 to {LARGEST_BLUR}")
    return PostProcessing(threshold, blur)


def plain_post_processing(post_processing: PostProcessing) -> tuple[float | str, int]:
    """The inverse of `checked_post_processing`, in values that JSON has."""
    threshold = post_processing.soft_threshold
    return threshold if math.isfinite(threshold) else str(threshold), post_processing.blur_strength


def check_version(found: Any, known: int, path: Path) -> None:
    """
    Args:
        found: the version that a file says its content has.
        known: the newest one that this program knows; all before, from 1 on, are known too.
        path: the file.

    Raises:
        UsageError: it is a newer one: the file may be as it should be.
        ValueError: it is none.
    """
    if isinstance(found, bool) or not (isinstance(found, int) or (isinstance(found, str) and found.isdecimal())):
        raise ValueError(f"version is {shown(found)}, which this program never wrote")
    version = whole_number(found, 0, 1_000_000, "version")
    if version > known:
        raise UsageError(
            f"{path}: was written by a newer version of this program (its format is {version}, known are those up to "
            f"{known}); install that version"
        )
    if version < 1:
        raise ValueError(f"version is {version}, which this program never wrote")


@dataclass(frozen=True)
class ModelInfo:
    """The labels of a model, the template it was made from, how its probabilities become a mask, and its size.

    Attributes:
        template: the resolved template as plain values, or None if the file does not tell.
        input_size: (height, width) in pixels that images are resized to, or None if the file does not tell.
        gives_masks: whether the model gives masks and no probabilities.
    """

    labels: Labels
    template: dict[str, Any] | None
    post_processing: PostProcessing
    input_size: tuple[int, int] | None = None
    gives_masks: bool = False

    def entries(self) -> dict[str, str]:
        """What is written into the model, by the names Model API knows, ours beginning with ``otx_``."""
        entries = {
            "model_type": "Segmentation",
            # Model API's contours take the first name for mask value 1, its tiler takes their number for that of the
            # network's outputs: with the name of mask value 0 at the end, both are right. It splits the text at blanks.
            _MODEL_API_LABELS: " ".join(
                "_".join(name.split()) for name in (*self.labels.names[1:], self.labels.names[0])
            ),
            SOFT_THRESHOLD: str(self.post_processing.soft_threshold),
            BLUR_STRENGTH: str(self.post_processing.blur_strength),
            "resize_type": "standard",
            "reverse_input_channels": "False",
            LABELS: json.dumps(labels_to_plain(self.labels), ensure_ascii=False),
            _VERSION: str(_KNOWN_VERSION),
        }
        if self.template is not None:
            entries[_TEMPLATE] = json.dumps(self.template, ensure_ascii=False)
        if self.input_size is not None:
            entries[_INPUT_SIZE] = "{}x{}".format(*self.input_size)
        if self.gives_masks:
            entries[_OUTPUT] = _MASK
        return entries


def read_model_info(
    entry: Callable[[str], str | None], path: Path, classes: int | None, given: Labels | None = None
) -> ModelInfo:
    """Gather what a model tells about itself.

    Its labels are those it carries; where it was made by another tool and carries none, those that are `given`, those
    of `label_schema.json` beside it, or the names that Model API reads.

    Args:
        entry: gives the text of a `model_info` entry, or None.
        path: the model file.
        classes: for how many labels it gives probabilities; None: it gives masks.
        given: labels that the user names.

    Raises:
        UsageError: there are no labels, their number is another one, others are given than the model carries, it
            wants another input than an RGB image as it is, or an entry is damaged.
    """
    _refuse_other_input(entry, path)
    if entry(LABELS) is not None and entry(DIGEST) is None:
        note_missing_digest(path)
    threshold, blur, version = map(entry, (SOFT_THRESHOLD, BLUR_STRENGTH, _VERSION))
    with damage_told(path):
        check_version(str(_KNOWN_VERSION) if version is None else version, _KNOWN_VERSION, path)
        post_processing = checked_post_processing(
            PLAIN_ARGMAX.soft_threshold if threshold is None else threshold,
            PLAIN_ARGMAX.blur_strength if blur is None else blur,
        )
        if classes is None and not post_processing.is_plain:
            raise ValueError(f"{SOFT_THRESHOLD} and {BLUR_STRENGTH} change nothing, since it gives masks")
        return ModelInfo(
            labels=_labels(entry, path, classes, given),
            template=_template(entry, path),
            post_processing=post_processing,
            input_size=declared_input_size(entry, path),
            gives_masks=classes is None,
        )


def gives_masks(entry: Callable[[str], str | None], path: Path) -> bool:
    """Whether a model says that it gives masks.

    Raises:
        UsageError: the entry is damaged.
    """
    text = entry(_OUTPUT)
    if text not in (None, _MASK):
        with damage_told(path):
            raise ValueError(f"{_OUTPUT} is {shown(text)}, not {_MASK}")
    return text == _MASK


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Where a value of a model's entries is no good, say so with the file and what to do."""
    try:
        yield
    except ValueError as error:
        raise UsageError(f"{path}: its {SECTION} is damaged: {error}; export the model again") from error


def _refuse_other_input(entry: Callable[[str], str | None], path: Path) -> None:
    for name, plain in _AS_IT_COMES.items():
        value = entry(name) or ""
        if not set(value.lower().replace(",", " ").split() or [""]) <= plain:
            raise UsageError(
                f"{path}: wants its input prepared otherwise than by resizing an RGB image ({SECTION}/{name} is "
                f"{shown(value)}); make that a part of the model, and take the entry out, as the documentation of "
                "deployment shows under 'Models of other tools'"
            )


def _labels(entry: Callable[[str], str | None], path: Path, classes: int | None, given: Labels | None) -> Labels:
    text = entry(LABELS)
    carried = None if text is None else checked_labels(_of_json(text, LABELS, path))
    if carried is not None:
        refuse_other_labels(carried, given, path)
    if classes is None:
        if carried is None:
            raise ValueError(f"{LABELS} is missing")
        return carried
    found = carried or given or _labels_beside(path) or _model_api_labels(entry(_MODEL_API_LABELS) or "", classes)
    if found is None:
        raise UsageError(
            f"{path}: gives probabilities of {classes} labels, but their names are neither in it nor in a "
            f"{LABEL_SCHEMA} beside it; name them in their order with --labels background,cat,... (or in "
            "such a file, where a command has no --labels)"
        )
    if len(found) != classes:
        raise UsageError(
            f"{path}: gives probabilities of {classes} labels, but {len(found)} are named: {', '.join(found.names)}"
        )
    return found


def refuse_other_labels(carried: Labels, given: Labels | None, path: Path) -> None:
    """
    Raises:
        UsageError: others are given than a model carries.
    """
    if given is not None and given.names != carried.names:
        raise UsageError(
            f"{path}: carries its labels, {', '.join(carried.names)}; leave --labels out, it is for models without"
        )


def _labels_beside(path: Path) -> Labels | None:
    schema = path.parent / LABEL_SCHEMA
    if not schema.is_file():
        return None
    try:
        return checked_labels(read_json(schema, "it should be a label schema", UsageError, _MOST_BYTES))
    except ValueError as error:
        raise UsageError(f"{schema}: is not a label schema of this toolkit ({error})") from error


def _model_api_labels(text: str, classes: int) -> Labels | None:
    """Names with blanks between them, of all labels or, as Model API counts them, from mask value 1 on."""
    names = text.split()
    if len(names) == classes - 1:
        names = ["background", *names]
    return labels_called(names) if len(names) == classes else None


def declared_input_size(entry: Callable[[str], str | None], path: Path) -> tuple[int, int] | None:
    """The (height, width) in pixels that images are resized to, as a model tells; None: it does not.

    Raises:
        UsageError: the entry is damaged.
    """
    text = entry(_INPUT_SIZE)
    if text is None:
        return None
    with damage_told(path):
        found = re.fullmatch(r"([1-9][0-9]*)x([1-9][0-9]*)", text)
        if found is None:
            raise ValueError(f"{_INPUT_SIZE} is {shown(text)}, not HEIGHTxWIDTH")
        return checked_size(found.groups())


def _template(entry: Callable[[str], str | None], path: Path) -> dict[str, Any] | None:
    text = entry(_TEMPLATE)
    if text is None:
        return None
    found = _of_json(text, _TEMPLATE, path)
    if not isinstance(found, dict):
        raise ValueError(f"{_TEMPLATE} is {shown(found)}, not a template")
    return found


def _of_json(text: str, name: str, path: Path) -> Any:
    return parse_json(text, f"{path}: its {SECTION} is damaged: {name}", "export the model again", UsageError)
