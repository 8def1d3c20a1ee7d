"""What a training is to do, settled from its arguments before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.datasets import DEFAULT_SEED
from otx_seg.errors import UsageError
from otx_seg.template import Template
from otx_seg.training.checkpoint import find_checkpoint, read_checkpoint, refuse_other_template, template_of
from otx_seg.workspace.run_folder import RunFolder


@dataclass(frozen=True)
class Plan:
    """What a training is to do, settled before anything is written."""

    template: Template
    train_root: Path
    val_root: Path | None
    seed: int
    state: dict[str, Any] | None
    resumed_run: RunFolder | None


def make_plan(
    train_root: str | Path | None,
    val_root: str | Path | None,
    template: str | Path | None,
    resume_from: str | Path | None,
    seed: int | None,
    parameters: dict[str, Any] | None,
    load_weights: str | Path | None,
) -> Plan:
    """Settle the arguments of `train`.

    Raises:
        UsageError: they make no sense together, or the run to go on with is not there or was made otherwise.
    """
    if resume_from is None:
        if train_root is None:
            raise UsageError("--train-data-roots is missing: name the folder of the training images and masks")
        chosen = templates.load(template or templates.default_template()).override(parameters or {})
        val = Path(val_root) if val_root is not None else None
        return Plan(chosen, Path(train_root), val, DEFAULT_SEED if seed is None else seed, None, None)
    if load_weights is not None:
        raise UsageError("--resume-from and --load-weights exclude each other: a resumed run has its weights")
    path = find_checkpoint(Path(resume_from))
    state = read_checkpoint(path)
    of_run = template_of(state, path)
    chosen = (templates.load(template) if template is not None else of_run).override(parameters or {})
    refuse_other_template(of_run, chosen)
    run = RunFolder(path.resolve().parents[2])
    try:
        recorded = json.loads(run.data.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{run.data}: cannot be read, so the run's data is unknown ({error})") from error
    if seed not in (None, recorded["seed"]):
        raise UsageError(f"the run to go on with has seed {recorded['seed']}, now {seed} is asked for")
    val_text = val_root or recorded["val_root"]
    return Plan(
        chosen,
        Path(train_root or recorded["train_root"]),
        Path(val_text) if val_text is not None else None,
        recorded["seed"],
        state,
        run,
    )
