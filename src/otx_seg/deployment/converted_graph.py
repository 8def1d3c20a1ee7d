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
