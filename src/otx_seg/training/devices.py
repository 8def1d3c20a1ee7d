"""What a training runs on: device, arithmetic, loader processes."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator

from otx_seg.errors import UsageError
from otx_seg.template.hyper_parameters import LearningParameters


def start_accelerator(precision: str) -> Accelerator:
    """The device and the arithmetic of a training: all GPUs of a torchrun job, one GPU, or the CPU.

    Args:
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.

    Raises:
        UsageError: fp16 on a CPU, which would compute it slower than fp32 and lose small gradients.
    """
    chosen = choose_precision(precision)
    if chosen == "fp16" and not torch.cuda.is_available():
        raise UsageError("learning_parameters.precision=fp16 needs a GPU; use auto, fp32 or bf16")
    return Accelerator(mixed_precision="no" if chosen == "fp32" else chosen)


def choose_precision(precision: str) -> str:
    """What ``auto`` means on this machine; any other value is returned as it is."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "fp32"


def choose_workers(parameters: LearningParameters, processes: int) -> int:
    """Loader processes of each training process."""
    if not parameters.auto_num_workers:
        return parameters.num_workers
    return min((os.cpu_count() or 1) // processes, 8)


def describe_device() -> str:
    """The device a training would use, for people."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"
