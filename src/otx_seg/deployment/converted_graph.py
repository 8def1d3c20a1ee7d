"""Converted graphs corrected: what they keep of the network's features, and operators that runtimes take better.

The feature vector becomes an output. Feature map and class activation stay inside, under their names: OpenVINO Model
API takes no more outputs, and nobody who wants only probabilities has to pay for copies of them.
"""

from __future__ import annotations

import onnx
import openvino
from openvino import opset13

from otx_seg.runtime.predictor import CLASS_ACTIVATION, FEATURE_MAP, FEATURE_VECTOR

OUTPUT_NAMES = (FEATURE_VECTOR, FEATURE_MAP, CLASS_ACTIVATION)
"""What `OpenNetwork` gives after the probabilities."""

INNER_NAMES = (FEATURE_MAP, CLASS_ACTIVATION)


def name_features_in_ir(model: openvino.Model) -> None:
    """Name the outputs of a converted `OpenNetwork`, and let only the feature vector stay one; `model` is changed."""
    for output, name in zip(model.outputs[1:], OUTPUT_NAMES, strict=True):
        if name not in INNER_NAMES:
            output.get_tensor().set_names({name})
            continue
        value = output.get_node().input_value(0)
        model.remove_result(output.get_node())
        value.get_tensor().set_names({name})


def keep_features_inside_onnx(model: onnx.ModelProto) -> None:
    """Let only the feature vector of the outputs called `OUTPUT_NAMES`, if any, stay one; `model` is changed."""
    for output in list(model.graph.output):
        if output.name in INNER_NAMES:
            model.graph.output.remove(output)


def decompose_group_norms(model: openvino.Model) -> None:
    """Write each GroupNormalization of an IR as mean-variance normalisation, scale and shift; `model` is changed.

    In 32-bit arithmetic OpenVINO 2026.4 ends the process while it compiles a GroupNormalization that is followed by a
    sum, as in SegNeXt's head.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "GroupNormalization":
            continue
        attributes = node.get_attributes()
        value, scale, shift = node.input_values()
        # 0: as before. Batch and size may be open.
        grouped = opset13.reshape(value, [0, attributes["num_groups"], -1], special_zero=True)
        normal = opset13.mvn(grouped, [2], True, attributes["epsilon"], "inside_sqrt")
        normal = opset13.reshape(normal, opset13.shape_of(value), special_zero=False)
        per_channel = [1, -1, *[1] * (len(value.get_partial_shape()) - 2)]
        scaled = opset13.multiply(normal, opset13.reshape(scale, per_channel, special_zero=False))
        shifted = opset13.add(scaled, opset13.reshape(shift, per_channel, special_zero=False))
        shifted.set_friendly_name(node.get_friendly_name())
        for use in node.output(0).get_target_inputs():
            use.replace_source_output(shifted.output(0))


def fold_padding(model: openvino.Model) -> None:
    """Let convolutions pad by themselves what a Pad of zeros pads before them; `model` is changed.

    The runtime folds them too, but not where quantisation has put a range between the two: the padding is then done in
    floating point, which took a sixth of the time of EfficientNet-Lite0-FPN in INT8.
    """
    makers = {"Convolution": opset13.convolution, "GroupConvolution": opset13.group_convolution}
    for node in model.get_ordered_ops():
        padding = _zeros_around(node)
        uses = node.output(0).get_target_inputs() if padding else ()
        if padding is None or any(use.get_node().get_type_name() not in makers for use in uses):
            continue
        for use in uses:
            old = use.get_node()
            attributes = old.get_attributes()
            before, behind = (
                [own + more for own, more in zip(attributes[name], added, strict=True)]
                for name, added in zip(("pads_begin", "pads_end"), padding, strict=True)
            )
            new = makers[old.get_type_name()](
                node.input_value(0), old.input_value(1), attributes["strides"], before, behind, attributes["dilations"]
            )
            new.set_friendly_name(old.get_friendly_name())
            for further in old.output(0).get_target_inputs():
                further.replace_source_output(new.output(0))


def _zeros_around(node: openvino.Node) -> tuple[list[int], list[int]] | None:
    """How many rows and columns of zeros a node puts before and behind its (B, C, H, W) input; None: it does not."""
    if node.get_type_name() != "Pad" or node.get_attributes()["pad_mode"] != "constant":
        return None
    constants = [value.get_node() for value in node.input_values()[1:]]
    if any(constant.get_type_name() != "Constant" for constant in constants):
        return None
    begin, end, *value = (constant.data.tolist() for constant in constants)
    if value not in ([], [0]) or any((*begin[:2], *end[:2])) or len(begin) != 4:
        return None
    return begin[2:], end[2:]
