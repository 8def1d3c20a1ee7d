"""Exported models that keep what their labels were decided on.

The feature vector becomes an output. Feature map and class activation stay inside, under their names: OpenVINO Model
API takes no more outputs, and nobody who wants only probabilities has to pay for copies of them.
"""

from __future__ import annotations

import onnx
import openvino

from otx_seg.runtime.activations import CLASS_ACTIVATION, FEATURE_MAP, FEATURE_VECTOR

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
