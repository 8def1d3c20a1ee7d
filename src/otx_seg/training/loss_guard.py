"""Watching that the loss stays a number."""

from __future__ import annotations

import math
from pathlib import Path

from torch import Tensor

from otx_seg.errors import OtxError


class LossGuard:
    """Collects losses and looks at several at once: reading one makes the processor wait for a GPU.

    Args:
        interval: losses that are collected before they are looked at.
        checkpoint: the file with the last good state, named in the error.
    """

    def __init__(self, interval: int, checkpoint: Path) -> None:
        self.interval = interval
        self.checkpoint = checkpoint
        self._unchecked: list[tuple[int, Tensor, list[str]]] = []

    def note(self, step: int, loss: Tensor, files: list[str]) -> None:
        """Add the loss of a step, a scalar, and the images it was computed on; raises as `check` does."""
        self._unchecked.append((step, loss.detach(), files))
        if len(self._unchecked) >= self.interval:
            self.check()

    def forget(self) -> None:
        """Drop what was not looked at."""
        self._unchecked.clear()

    def check(self) -> None:
        """Look at all losses that were not looked at.

        Raises:
            OtxError: one is infinite or no number.
        """
        for step, loss, files in self._unchecked:
            if not math.isfinite(float(loss)):
                saved = (
                    f"the state before it is in {self.checkpoint}" if self.checkpoint.exists() else "nothing was saved"
                )
                raise OtxError(
                    f"the loss became {float(loss)} at step {step}, with the images {', '.join(files)}; {saved}. "
                    "Lower learning_parameters.learning_rate, or set learning_parameters.precision=fp32"
                )
        self._unchecked.clear()
