"""The progress of a training."""

from __future__ import annotations

from typing import NamedTuple


class TrainProgress(NamedTuple):
    """How far a training is.

    Attributes:
        epoch: finished epochs.
        step: finished optimisation steps.
        progress: share of the run that has passed, by steps or by the time budget, 0..1.
    """

    epoch: int
    step: int
    progress: float
