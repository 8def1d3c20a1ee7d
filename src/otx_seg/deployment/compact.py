"""Writing a quantised IR without what only fills the file.

NNCF surrounds every quantised value with constants, most of them equal to others and each under a long name: the
text of Lite-HRNet's graph becomes three times as long and outweighs its 8-bit parameters. Nothing that is left out
here changes what is computed.
"""

from __future__ import annotations

import re
from pathlib import Path

import openvino

_KEEP_NAME = {"Parameter", "Result"}
_ADDED_BY_QUANTIZATION = {"Constant", "Convert", "FakeQuantize"}

_BETWEEN_TAGS = re.compile(r">\s+<")  # inside a tag, in a text of ours say, a < would be written &lt;
_INPUT_PORTS = re.compile(r"<input>.*?</input>", re.DOTALL)
_DIMENSIONS = re.compile(r">(?:<dim>\d+</dim>)+</port>")


def save_compact(model: openvino.Model, path: Path) -> None:
    """Write an IR, ``.xml`` at `path` and ``.bin`` beside it; inner nodes of `model` lose their names.

    1. Equal constants become one.
    2. Tensors inside the graph lose their names, and the nodes that quantisation added get short ones.
    3. The indentation and the shapes of inputs, which repeat those of the outputs they come from, are left out.
    """
    _share_constants(model)
    _shorten_names(model)
    openvino.save_model(model, path, compress_to_fp16=False)
    text = _BETWEEN_TAGS.sub("><", path.read_text(encoding="utf-8"))
    text = _INPUT_PORTS.sub(lambda ports: _DIMENSIONS.sub("/>", ports.group()), text)
    path.write_text(text, encoding="utf-8")


def _share_constants(model: openvino.Model) -> None:
    first: dict[tuple[str, tuple[int, ...], bytes], openvino.Node] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant":
            continue
        key = (str(node.get_element_type()), tuple(node.get_output_shape(0)), node.get_data().tobytes())
        kept = first.setdefault(key, node)
        if kept is not node:
            for use in node.output(0).get_target_inputs():
                use.replace_source_output(kept.output(0))


def _shorten_names(model: openvino.Model) -> None:
    for number, node in enumerate(model.get_ordered_ops()):
        kind = node.get_type_name()
        if kind in _KEEP_NAME:
            continue
        if kind in _ADDED_BY_QUANTIZATION:
            node.set_friendly_name(f"q{number}")
        for output in node.outputs():
            if all(use.get_node().get_type_name() != "Result" for use in output.get_target_inputs()):
                output.get_tensor().set_names(set())
