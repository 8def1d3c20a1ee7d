"""The state of a training: what must be known to continue as if nothing had happened."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.run_folder import RunFolder

VERSION = 1
"""Of what `Trainer.state_dict` returns."""


@dataclass
class TrainState:
    """The position of a training, and its best score so far.

    Attributes:
        epoch: finished epochs.
        batch: finished batches of the present epoch.
        step: finished optimisation steps.
        batch_size: images per step and process; smaller than the template's after memory ran out.
        elapsed_s: seconds of training, earlier parts of a resumed run included.
        validated_epoch: epochs that were finished at the last validation.
        validated_step: steps that were, -1 before the first one.
        validation_s: seconds that the last validation took, 0 before the first one.
        best_score: best validation score, that of the watched metric, -1 before the first validation.
        best_epoch: the one in or after which the network with it was validated, as `begun_epochs` counts.
        ended: why the training is over; empty while it is not.
    """

    batch_size: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    elapsed_s: float = 0.0
    validated_epoch: int = 0
    validated_step: int = -1
    validation_s: float = 0.0
    best_score: float = -1.0
    best_epoch: int = 0
    ended: str = ""

    @property
    def begun_epochs(self) -> int:
        """Epochs that have begun: what a person calls the present one, from 1."""
        return self.epoch + (self.batch > 0)


def write_state(run: RunFolder, state: dict[str, Any]) -> None:
    """Write the state of a training into the folder of a run, atomically."""
    write_tensors(run.checkpoint, state)


def random_state() -> dict[str, Any]:
    """The state of every random generator of this process, as tensors and plain values."""
    version, values, gauss = random.getstate()
    algorithm, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(values), gauss],
        "numpy": [algorithm, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put back what `random_state` returned; CUDA generators only where their number is the same."""
    version, values, gauss = state["python"]
    random.setstate((version, tuple(values), gauss))
    algorithm, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((algorithm, keys.numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
