"""The state of a training: what must be known to go on as if nothing had happened."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.run_folder import RunFolder

if TYPE_CHECKING:
    from otx_seg.training.loop import Training

VERSION = 1
"""Of what `collect_state` returns."""


@dataclass
class Position:
    """Where a training stands, and its best score so far.

    Attributes:
        epoch: finished epochs.
        batch: finished batches of the present epoch.
        step: finished optimisation steps.
        batch_size: images per step and process; smaller than the template's after memory ran out.
        elapsed_s: seconds of training, earlier parts of a resumed run included.
        validated_epoch: epochs that were finished at the last validation.
        validated_step: steps that were, -1 before the first one.
        validation_s: seconds that the last validation took, 0 before the first one.
        best_score: best validation Dice, -1 before the first validation.
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


def collect_state(training: Training) -> dict[str, Any]:
    """The state of a training as tensors and plain values; the template is in it to refuse going on with another."""
    return {
        **{name: part.state_dict() for name, part in _parts(training).items()},
        "position": {**asdict(training.position), "elapsed_s": training.elapsed_s},
        "best_confusion": training.selection.best_confusion,
        "random": random_state(),
        "template": training.template.as_dict(),
        "origin": training.origin,
        "command": training.command,
        "processes": training.accelerator.num_processes,
        "version": VERSION,
    }


def write_state(training: Training, run: RunFolder) -> None:
    """Write the state of a training into the folder of a run, atomically."""
    write_tensors(run.checkpoint, collect_state(training))


def restore_state(training: Training, state: dict[str, Any]) -> None:
    """Put back what `collect_state` returned, into a training of the same template.

    Raises:
        KeyError, RuntimeError, ValueError, TypeError, AttributeError: it is that of another one.
    """
    for name, part in _parts(training).items():
        part.load_state_dict(state[name])
    training.position = Position(**state["position"])
    training.selection.best_confusion = state["best_confusion"]
    best = training.selection.best()
    if best is not None:  # a checkpoint of an earlier version may hold a score of another rule
        training.position.best_score = best.dice_average
    training.selection.pace.duration_s = training.position.validation_s
    restore_random_state(state["random"])


def _parts(training: Training) -> dict[str, Any]:
    """Everything with a state of its own, by its name in the checkpoint."""
    parts: dict[str, Any] = {
        "algorithm": training.algorithm,
        "optimizer": training.optimizer,
        "learning_rate": training.learning_rate,
        "early_stopping": training.selection.stopping,
    }
    if training.average is not None:
        parts["average"] = training.average.averaged
    if training.accelerator.scaler is not None:
        parts["scaler"] = training.accelerator.scaler
    return parts


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
