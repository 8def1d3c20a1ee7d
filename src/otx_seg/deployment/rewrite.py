"""Replacing operators of a converted graph by equal ones that runtimes take better."""

from __future__ import annotations

import openvino
from openvino import opset13


def spell_out_group_norms(model: openvino.Model) -> None:
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
