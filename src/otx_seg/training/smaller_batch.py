"""Going on with smaller batches when memory ran out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from otx_seg.training.memory import OutOfMemoryError

if TYPE_CHECKING:
    from otx_seg.training.loop import Training

logger = logging.getLogger(__name__)


def halve_batch(training: Training, error: Exception) -> None:
    """Go back to the start of the present epoch, with batches of half the size.

    Several processes cannot: the others wait for the gradients of the one whose memory ran out.

    Args:
        error: that memory ran out.

    Raises:
        OutOfMemoryError: that is not possible or not wanted.
    """
    position, parameters = training.position, training.parameters
    wanted = parameters.auto_adapt_batch_size != "None"
    if not wanted or position.batch_size == 1 or training.accelerator.num_processes > 1:
        raise OutOfMemoryError(
            f"memory ran out with batches of {position.batch_size} images; lower learning_parameters.batch_size "
            "(in semi-supervised training unlabeled_batch_size too) or learning_parameters.input_size "
            f"({parameters.input_size})"
        ) from error
    training.optimizer.zero_grad(set_to_none=True)
    training.loss_guard.forget()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    position.batch_size //= 2
    position.batch = 0
    training.loader = training.open_loader()
    logger.warning(
        "memory ran out: going on with batches of %d from the start of epoch %d; the learning rate stays as it is",
        position.batch_size,
        position.epoch + 1,
    )
