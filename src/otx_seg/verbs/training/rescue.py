"""A training whose folder is gone: what it has learned goes into a new folder beside it."""

from __future__ import annotations

from pathlib import Path

from otx_seg.datasets import TrainingData
from otx_seg.errors import OtxError
from otx_seg.training.checkpoint import TRAIN
from otx_seg.training.loop import Training
from otx_seg.training.state import write_state
from otx_seg.verbs.training.folder import write_plan
from otx_seg.verbs.training.plan import Plan
from otx_seg.words import count
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.run_folder import FolderGoneError, RunFolder


def rescued(error: FolderGoneError, training: Training, plan: Plan, data: TrainingData) -> OtxError:
    """Save a training between two of its steps, with its best network so far, and the error that says where.

    A best network that was kept before the run was resumed was in the folder alone, and stays lost.
    """
    run = RunFolder(_free_beside(training.run.path))
    try:
        write_plan(run, plan, data)
        training.selection.write_kept(run)
        write_state(training, run)
    except OSError as problem:
        return OtxError(f"{error.what}. What was learned could not be saved beside it either ({problem.strerror})")
    learned = f"what was learned in {count(training.position.step, 'step')} is saved in {run.path}"
    return OtxError(f"{error.what}; {learned}", resume_command(TRAIN, run.path))


def _free_beside(folder: Path) -> Path:
    candidate, number = folder.with_name(f"{folder.name}_rescued"), 2
    while candidate.exists():
        candidate = folder.with_name(f"{folder.name}_rescued_{number}")
        number += 1
    return candidate
