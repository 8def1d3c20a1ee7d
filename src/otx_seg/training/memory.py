"""Recognising that memory ran out."""

from __future__ import annotations

import torch

from otx_seg.errors import OtxError


class OutOfMemoryError(OtxError):
    """A batch does not fit into the device's memory, and may not or cannot be made smaller."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of a training step means that the batch does not fit into the device's memory."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    # The CPU allocator raises a plain RuntimeError that only its text tells from others.
    return isinstance(error, RuntimeError) and any(
        text in str(error) for text in ("can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )
