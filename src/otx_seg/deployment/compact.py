"""Writing a quantised IR without what only fills the file.

NNCF surrounds every quantised value with constants, most of them equal to others and each under a long name: the
text of Lite-HRNet's graph becomes three times as long and outweighs its 8-bit parameters. Nothing that is left out
here changes what is computed, but for the rounding of parameters where a function says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import openvino
from openvino import opset13

from otx_seg.deployment.converted_graph import INNER_NAMES
from otx_seg.deployment.files import save_ir
from otx_seg.deployment.ignored_nodes import is_quantized
from otx_seg.models.quantized_conv import LARGEST_WEIGHT
from otx_seg.runtime.written_digest import write_digest

_NAMED = {"Parameter", "Result", "Convolution", "GroupConvolution", "MatMul"}
"""Nodes that keep their names: by these a profile of the model can be read."""

_WORTH_8_BITS = 2000
"""Parameters of a convolution from which on 8 instead of 16 bits save more than the nodes that turn them back take."""

_WORTH_HALVING = 512
"""Elements from which on 16 instead of 32 bits save more than the node that turns them back into 32 takes."""

_ZERO = np.float32(1e-30)
"""A kernel without larger values is one of zeros; 127 divided by less may be infinite."""

_LARGEST = 127  # integer of a kernel that is computed with in 32 bits

_OUTPUT_AXES = {"Convolution": 1, "GroupConvolution": 2}
"""How many of a kernel's first axes tell the output channels apart, by type of node."""

_BETWEEN_TAGS = re.compile(r">\s+<")  # inside a tag, in a text of ours say, a < would be written &lt;
_PORTS = re.compile(r"<(input|output)>.*?</\1>", re.DOTALL)
_DIMENSIONS = re.compile(r">(?:<dim>-?\d+</dim>)+</port>")
_SHAPE = re.compile(r'(?<= shape=")[\d, ]+(?=")')  # a quote inside a text would be written &quot;
_USUAL = re.compile(r'<data auto_broadcast="numpy"/>| auto_broadcast="numpy"')
_PRECISION = re.compile(r' precision="\w+" ?')


def store_kernels_in_8_bits(model: openvino.Model, ignored: Collection[str]) -> None:
    """Store 32-bit kernels of convolutions in 8 bits: those of quantised inputs, and large ones; `model` is changed.

    Each output channel has a scale of its own. Integers that are multiplied by it tell OpenVINO to compute with
    integers where the input is quantised. Elsewhere the computation stays one in 32 bits, and the integers are divided,
    which OpenVINO does when it loads the model: a multiplication it would do anew for every image.

    Args:
        model: kernels that are integers already are left as they are.
        ignored: names of convolutions to leave alone.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() not in _OUTPUT_AXES or node.get_friendly_name() in ignored:
            continue
        kernel = node.input_value(1).get_node()
        if kernel.get_type_name() != "Constant" or kernel.get_element_type() != openvino.Type.f32:
            continue
        values, with_integers = kernel.get_data(), is_quantized(node.input_value(0))
        if values.size < _WORTH_8_BITS and not with_integers:
            continue
        inner = tuple(range(_OUTPUT_AXES[node.get_type_name()], values.ndim))
        largest = np.abs(values).max(axis=inner, keepdims=True)
        steps = np.float32(LARGEST_WEIGHT if with_integers else _LARGEST)
        steps_per_unit = steps / np.where(largest < _ZERO, steps, largest)
        integers = np.rint(values * steps_per_unit).astype(np.int8)
        restored = opset13.convert(opset13.constant(integers), "f32")
        if with_integers:
            restored = opset13.multiply(restored, opset13.constant(1 / steps_per_unit))
        else:
            restored = opset13.divide(restored, opset13.constant(steps_per_unit))
        _replace(kernel.output(0), restored.output(0))


def halve_large_constants(model: openvino.Model) -> None:
    """Store the large 32-bit constants of a model in 16 bits; `model` is changed.

    The computation stays one in 32 bits. What quantisation left in floating point is rounded to 11 bits of precision,
    eight times finer than its neighbours.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != openvino.Type.f32:
            continue
        values = node.get_data()
        if values.size >= _WORTH_HALVING and np.abs(values).max() < np.finfo(np.float16).max:
            half = opset13.constant(values.astype(np.float16))
            _replace(node.output(0), opset13.convert(half, "f32").output(0))


def save_compact(model: openvino.Model, path: Path) -> None:
    """Write an IR, ``.xml`` at `path` and ``.bin`` beside it; most inner nodes of `model` lose their names.

    1. Equal constants become one.
    2. Tensors inside the graph lose their names, but for those of its features, and most nodes get short ones.
    3. Left out: indentation and blanks, the shapes and types of ports, which every reader of an IR works out anew, and
       how operations broadcast, where it is as usual.
    """
    _share_constants(model)
    _shorten_names(model)
    save_ir(model, path)
    text = _BETWEEN_TAGS.sub("><", path.read_text(encoding="utf-8"))
    text = _SHAPE.sub(lambda shape: shape.group().replace(" ", ""), _PORTS.sub(_bare_ports, text))
    path.write_text(_USUAL.sub("", text.replace('" />', '"/>')), encoding="utf-8")
    write_digest(path, path.with_suffix(".bin"))


def _bare_ports(ports: re.Match[str]) -> str:
    without_shapes = _DIMENSIONS.sub("/>", ports.group())
    return without_shapes if ports.group(1) == "output" else _PRECISION.sub("", without_shapes)


def _share_constants(model: openvino.Model) -> None:
    first: dict[tuple[str, tuple[int, ...], bytes], openvino.Node] = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or _is_bias(node):
            continue
        key = (str(node.get_element_type()), tuple(node.get_output_shape(0)), node.get_data().tobytes())
        kept = first.setdefault(key, node)
        if kept is not node:
            _replace(node.output(0), kept.output(0))


def _is_bias(constant: openvino.Node) -> bool:
    """Whether a constant is added to a convolution: OpenVINO makes one operation of the two if nothing else uses it."""
    users = [use.get_node() for use in constant.output(0).get_target_inputs()]
    return any(
        user.get_type_name() == "Add" and user.input_value(0).get_node().get_type_name() in _OUTPUT_AXES
        for user in users
    )


def _replace(old: openvino.Output, new: openvino.Output) -> None:
    for use in old.get_target_inputs():
        use.replace_source_output(new)


def _shorten_names(model: openvino.Model) -> None:
    for number, node in enumerate(model.get_ordered_ops()):
        kind = node.get_type_name()
        if kind not in _NAMED:
            node.set_friendly_name(f"n{number}")
        if kind in ("Parameter", "Result"):
            continue
        for output in node.outputs():
            if all(use.get_node().get_type_name() != "Result" for use in output.get_target_inputs()):
                output.get_tensor().set_names(output.get_names() & set(INNER_NAMES))
