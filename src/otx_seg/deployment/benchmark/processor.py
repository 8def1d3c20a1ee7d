"""What the models are run on."""

from __future__ import annotations

import os

from otx_seg.runtime.openvino_core import openvino_core


def computes_in_bf16() -> bool:
    """Whether this processor has instructions for bfloat16, as OpenVINO sees it."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor_name() -> str:
    """What the processor calls itself."""
    return str(openvino_core().get_property("CPU", "FULL_DEVICE_NAME")).strip()


def usable_processors() -> list[int] | None:
    """The numbers of the processors this process may use, or None where the system has no such list."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def processor_count() -> int:
    """How many processors this process may use."""
    usable = usable_processors()
    return len(usable) if usable is not None else os.cpu_count() or 1
