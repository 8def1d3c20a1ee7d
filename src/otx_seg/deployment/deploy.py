"""Packs a model into one file with a program that runs it without this toolkit."""

from __future__ import annotations

import io
import json
import re
import string
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from otx_seg.labels import Labels
from otx_seg.runtime.handed_over import CONFIG, MODEL_BIN, MODEL_XML, config_of
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.model_info import ModelInfo
from otx_seg.runtime.openvino_predictor import OpenVinoPredictor
from otx_seg.runtime.result_files import write_result
from otx_seg.runtime.written_digest import add_zip_digest
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.model_file import check_model_file

PACKAGE = "openvino.zip"

_TOOLKIT = Path(__file__).parents[1]
_TEXTS = Path(__file__).parent / "handover"
_MODEL_API_DEMO = "python/model_api_demo.py"
_LEAVES = ("errors.py", "labels.py", "palette.py")
_PACKAGE_DOCSTRING = '"""What runs the model in this package; `demo.py` shows how it is used."""\n'
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zip format's; with the time of writing, no two packages would be equal
_ORDINARY_FILE = 0o100644


@dataclass(frozen=True)
class Deployed:
    """The outcome of `deploy`.

    Attributes:
        package: the zip file.
        size: its bytes.
        labels: of the model in it.
    """

    package: Path
    size: int
    labels: Labels


def deploy(model: Path, output: Path, labels: Labels | None = None) -> Deployed:
    """Pack an IR with all that is needed to run it, as `openvino.zip`.

    The same model always gives the same bytes.

    Args:
        model: the ``.xml`` of an IR written by `export` or `quantize`.
        output: the folder the zip is written to.
        labels: of a model of another tool that carries none.

    Raises:
        UsageError: no such model, or one that does something else.
        OtxError: the zip cannot be written.
    """
    check_model_file(model, (".xml",), _instead_of(model))
    predictor = OpenVinoPredictor(model, labels=labels)
    content = _zipped(_contents(model, predictor))
    write_result(output / PACKAGE, content)
    return Deployed(output / PACKAGE, len(content), predictor.labels)


def _instead_of(model: Path) -> dict[str, str]:
    """The remedy for a file that cannot be packed, by its suffix."""
    from_weights = otx_command("export", "--load-weights", "WEIGHTS.pth", "--output", "exported")
    ways = {
        ".pth": "make one with: " + otx_command("export", "--load-weights", model, "--output", "exported"),
        ".onnx": f"make one from the weights it was exported from with: {from_weights} (or, of another tool's model, "
        "with openvino.convert_model and openvino.save_model)",
        ".bin": "give the .xml beside it: " + otx_command("deploy", "--load-weights", model.with_suffix(".xml")),
        ".zip": "a zip is what this command writes",
    }
    needed = "only an OpenVINO model, an .xml with its .bin, can be handed over"
    return {suffix: f"{needed}; {way}" for suffix, way in ways.items()}


def _contents(model: Path, predictor: OpenVinoPredictor) -> dict[str, bytes]:
    """The files of the package by their names in it."""
    info = ModelInfo(predictor.labels, predictor.template, predictor.post_processing)
    files = {MODEL_XML: model.read_bytes(), MODEL_BIN: model.with_suffix(".bin").read_bytes()}
    config = config_of(info, *files.values())
    needed = "" if predictor.gives_masks else "# For model_api_demo.py only.\nopenvino-model-api>=0.4\n"
    texts = {
        f"model/{CONFIG}": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        "python/requirements.txt": _filled("requirements.txt", {**_lowest_versions(), "model_api": needed}),
        "python/otx_seg/__init__.py": _PACKAGE_DOCSTRING,
        "README.md": _filled("README.md", _about(predictor)),
    }
    copies = {
        "python/demo.py": _TEXTS / "demo.py",
        # Model API takes no masks.
        **({} if predictor.gives_masks else {_MODEL_API_DEMO: _TEXTS / "model_api_demo.py"}),
        "python/LICENSE": _license_file(),
        **{f"python/otx_seg/{leaf}": _TOOLKIT / leaf for leaf in _LEAVES},
        **{f"python/otx_seg/runtime/{file.name}": file for file in (_TOOLKIT / "runtime").glob("*.py")},
    }
    return {
        **{f"model/{name}": content for name, content in files.items()},
        **{name: text.encode() for name, text in texts.items()},
        **{name: file.read_bytes() for name, file in copies.items()},
    }


def _zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(contents.items()):
            file = zipfile.ZipInfo(name, _EARLIEST)
            file.external_attr = _ORDINARY_FILE << 16
            file.create_system = 3  # Unix, whose file modes these are
            archive.writestr(file, content, zipfile.ZIP_DEFLATED, 9)
    add_zip_digest(buffer)
    return buffer.getvalue()


def _license_file() -> Path:
    """The toolkit's license: inside the installed package, or the checkout's for an editable install."""
    installed = _TEXTS / "LICENSE"
    return installed if installed.is_file() else Path(__file__).parents[3] / "LICENSE"


def _filled(name: str, values: dict[str, str]) -> str:
    return string.Template((_TEXTS / name).read_text(encoding="utf-8")).substitute(values)


def _lowest_versions() -> dict[str, str]:
    """The lowest version this toolkit takes of each of its dependencies, by names with ``_`` in place of ``-``."""
    found = {}
    for requirement in metadata.requires("otx-seg") or ():
        match = re.match(r"([\w.-]+)[^;]*>=\s*([\w.]+)", requirement)
        if match is not None:
            found[match[1].replace("-", "_").lower()] = match[2]
    return found


def _about(predictor: OpenVinoPredictor) -> dict[str, str]:
    """The README's description of the model."""
    labels = predictor.labels
    rows = ["| index | label | colour |", "|---|---|---|"]
    for index, (name, color) in enumerate(zip(labels.names, labels.shown_colors, strict=True)):
        note = " (not tinted in overlays)" if index == labels.background else ""
        rows.append(f"| {index} | {name.replace('|', chr(92) + '|')} | {', '.join(map(str, color))}{note} |")
    height, width = predictor.input_size
    return {
        "count": str(len(labels)),
        "labels": "\n".join(rows),
        "height": str(height),
        "width": str(width),
        **_steps(predictor),
        "open": _what_is_open(predictor),
        "model_api": "" if predictor.gives_masks else " `model_api_demo.py`;",
    }


def _steps(predictor: OpenVinoPredictor) -> dict[str, str]:
    """How an image becomes a mask, from what the network gives."""
    height, width = predictor.input_size
    if predictor.gives_masks:
        return {
            "gives": f"the index of each pixel's label, 8-bit integers of shape (1, {height}, {width})",
            "post_processing": "Nothing is done to them; `soft_threshold` and `blur_strength` have no effect and stay.",
            "decides": "The mask is resized to the size of the image: each pixel gets the label of the nearest one.",
        }
    return {
        "gives": f"the probability of each label at each pixel, (1, {len(predictor.labels)}, {height}, {width})",
        "post_processing": _in_words(predictor.post_processing),
        "decides": "The probabilities are enlarged to the size of the image, bilinearly, and each pixel gets the label "
        "with the largest\n   one.",
    }


def _what_is_open(predictor: OpenVinoPredictor) -> str:
    """A paragraph on a network that takes more than one image of one size; of others nothing."""
    if not (predictor.open_batch or predictor.open_size):
        return ""
    number, sides = "1", "{}, {}".format(*predictor.input_size)
    left_open = []
    if predictor.open_batch:
        number = "N"
        left_open.append("how many images it takes (N)")
    if predictor.open_size:
        sides = "H, W"
        left_open.append("their height and width (H, W)")
    per_label = "" if predictor.gives_masks else f"{len(predictor.labels)}, "
    text = (
        f"\nThe network itself leaves open {' and '.join(left_open)}: from ({number}, 3, {sides}) it\n"
        f"makes ({number}, {per_label}{sides}). The programs in this package give it one image of the "
        "size above"
    )
    if predictor.open_size:
        text += ", which stands in its\nentry `model_info/otx_input_size`"
        if not predictor.gives_masks:
            text += (
                "; all but `model_api_demo.py`, which gives it the image at its own size:\nmasks differ then, and a "
                "large image takes much memory"
            )
    return f"{text}.\n"


def _in_words(post_processing: PostProcessing) -> str:
    """The step between the network and the enlarging, for a reader who does not know the settings."""
    blur, threshold = post_processing.blur_strength, post_processing.soft_threshold
    if blur == -1 or (blur <= 1 and threshold <= 0):
        return f"Nothing is done to the probabilities (`soft_threshold` {threshold}, `blur_strength` {blur})."
    steps = []
    if blur > 1:
        steps.append(f"Each label's probabilities are smoothed with a box filter of {blur} x {blur} pixels")
    if threshold > 0:
        steps.append(f"probabilities below {threshold} are set to 0")
    text = ", then ".join(steps)
    return f"{text[0].upper()}{text[1:]} (`blur_strength` {blur}, `soft_threshold` {threshold} in `config.json`)."
