"""Watching that the loss and its gradient stay numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from otx_seg.errors import OtxError


class DivergedError(OtxError):
    """The loss or its gradient is infinite or no number."""


class LossGuard:
    """Collects values and checks several at once: reading one makes the processor wait for a GPU.

    Args:
        interval: steps that are collected before their values are looked at.
        checkpoint: the file with the last good state, named in the error.
    """

    def __init__(self, interval: int, checkpoint: Path) -> None:
        self.interval = interval
        self.checkpoint = checkpoint
        self._unchecked: list[tuple[int, str, Tensor, list[str]]] = []

    def note(self, step: int, name: str, value: Tensor, files: list[str]) -> None:
        """Add a value of a step, a scalar, and the images it was computed on; raises as `check` does."""
        self._unchecked.append((step, name, value.detach(), files))
        if step % self.interval == 0:
            self.check()

    def forget(self) -> None:
        """Drop the values that have not been checked."""
        self._unchecked.clear()

    def check(self) -> None:
        """Check all new values.

        Raises:
            DivergedError: one is infinite or no number.
        """
        for step, name, value, files in self._unchecked:
            if not math.isfinite(float(value)):
                raise self._diverged(
                    f"the {name} became {float(value)} at step {step}, with the images {', '.join(files)}"
                )
        self._unchecked.clear()

    def check_weights(self, step: int, weights: Iterable[Tensor]) -> None:
        """Look at weights before they are saved: a gradient may be no number where the loss was one.

        Args:
            step: after which they are.

        Raises:
            DivergedError: one is infinite or no number.
        """
        if not all(bool(weight.detach().isfinite().all()) for weight in weights):
            raise self._diverged(f"the weights became NaN or infinite in step {step}")

    def _diverged(self, what: str) -> DivergedError:
        saved = f"the state before it is in {self.checkpoint}" if self.checkpoint.exists() else "nothing was saved"
        return DivergedError(
            f"{what}; {saved}. Lower learning_parameters.learning_rate, or set learning_parameters.precision=fp32"
        )
