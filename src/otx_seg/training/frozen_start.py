"""The first steps of a training, in which a pretrained backbone keeps its weights."""

from __future__ import annotations

from torch import nn

_LONGEST = 0.2  # share of the run


class FrozenStart:
    """Keeps a backbone as it is while new heads learn from it: their first gradients are those of random weights, and
    would undo what it has learned. Its batch norms take note of the images all the same.

    Args:
        backbone: what is kept.
        steps: for how many steps, or for the first fifth of the run if that passes sooner.
        processes: that train together.
    """

    def __init__(self, backbone: nn.Module, steps: int, processes: int) -> None:
        self.steps = steps
        self._learning = [parameter for parameter in backbone.parameters() if parameter.requires_grad] if steps else []
        # DistributedDataParallel expects the gradients of all parameters, at every step.
        self._computes_gradients = processes > 1

    def applies(self, step: int, progress: float) -> bool:
        """Whether the backbone is kept in step `step` (from 0), when the share `progress` of the run has passed."""
        return step < self.steps and progress < _LONGEST

    def begin(self, step: int, progress: float) -> None:
        """Before a step: gradients of what does not learn take half of its time."""
        for parameter in () if self._computes_gradients else self._learning:
            parameter.requires_grad_(not self.applies(step, progress))

    def clear(self, step: int, progress: float) -> None:
        """Before the optimiser: take the gradients that were computed; it leaves such parameters alone."""
        for parameter in self._learning if self.applies(step, progress) else ():
            parameter.grad = None
