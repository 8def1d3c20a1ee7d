"""What the models are run on."""

from __future__ import annotations

from otx_seg.runtime.openvino_core import openvino_core


def computes_in_bf16() -> bool:
    """Whether this processor has instructions for bfloat16, as OpenVINO sees it."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor_name() -> str:
    """What the processor calls itself."""
    return str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()
