"""Recognising that memory ran out, and the size of batches to continue with."""

from __future__ import annotations

import torch

from otx_seg.errors import OtxError
from otx_seg.template.hyper_parameters import LearningParameters


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


def smaller_batch(batch_size: int, parameters: LearningParameters, processes: int, error: Exception) -> int:
    """Half of a batch size that memory is too small for.

    Several processes cannot continue: the others wait for the gradients of the one whose memory ran out.

    Args:
        error: that memory ran out.

    Raises:
        OutOfMemoryError: that is not possible or not wanted.
    """
    if parameters.auto_adapt_batch_size == "None" or batch_size == 1 or processes > 1:
        raise OutOfMemoryError(
            f"memory ran out with batches of {batch_size} images; lower learning_parameters.batch_size "
            "(in semi-supervised training unlabeled_batch_size too) or learning_parameters.input_size "
            f"({parameters.input_size})"
        ) from error
    return batch_size // 2
