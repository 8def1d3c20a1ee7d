"""The results of an `otx run`: three models side by side, and a package."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.report.run_report.make import FP32, INT8, TORCH
from otx_seg.report.run_report.record import Finding, ModelRow
from otx_seg.runtime.plain_files import number, whole_number
from otx_seg.workflow.job import ADVICE, Job, JobState
from otx_seg.workspace.own_files import damaged
from otx_seg.workspace.run_folder import RunFolder

_MODELS = ((TORCH, "train"), (FP32, "export"), (INT8, "optimize"))


@dataclass(frozen=True)
class ModelOfJob:
    """One of the models that a job made.

    Attributes:
        name: what runs it.
        file: where it is.
        dice, m_iou: on the images it was evaluated on, 0..1.
        size: bytes of its file or files.
        latency: median seconds for one image.
    """

    name: str
    file: Path
    dice: float
    m_iou: float
    size: int
    latency: float


@dataclass(frozen=True)
class Outcome:
    """The outcome of `run`.

    Attributes:
        folder: where everything is.
        template: the name of the template.
        models: trained, exported and quantised.
        images: how many the scores are of.
        package: the zip of `deploy`.
        skipped: names of the steps that were done before.
        steps: what each step gave, as in ``run.json``.
        findings: what the check found; nothing in a job that an earlier version checked.
    """

    folder: Path
    template: str
    models: tuple[ModelOfJob, ...]
    images: int
    package: Path
    skipped: tuple[str, ...]
    steps: dict[str, dict[str, Any]]
    findings: tuple[Finding, ...] = ()

    @property
    def report(self) -> Path:
        """The page that shows it."""
        return RunFolder(self.folder).page

    def rows(self) -> list[ModelRow]:
        """The models as they stand in a report."""
        return [ModelRow(model.name, str(model.file), model.dice, model.size, model.latency) for model in self.models]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.folder),
            "report": str(self.report),
            "template": self.template,
            "images": self.images,
            "models": [
                {
                    "name": model.name,
                    "file": str(model.file),
                    "Dice Average": model.dice,
                    "mIoU": model.m_iou,
                    "size_bytes": model.size,
                    "latency_median_s": model.latency,
                }
                for model in self.models
            ],
            "package": str(self.package),
            "skipped": list(self.skipped),
            "steps": self.steps,
        }


def outcome_of(job: Job, state: JobState, skipped: tuple[str, ...]) -> Outcome:
    """The outcome of a job all of whose steps are done.

    Args:
        skipped: names of the steps that were done before.

    Raises:
        UsageError: what ``run.json`` says of them is damaged.
    """
    try:
        return _outcome_of(job, state, skipped)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(state.file, f"{type(error).__name__}: {error}", ADVICE) from error


def _outcome_of(job: Job, state: JobState, skipped: tuple[str, ...]) -> Outcome:
    measured = {}
    for found in reversed(state.done["benchmark"]["models"]):
        measured[found["file"]] = found  # the first of a file, in FP32, is what remains
    models = []
    for name, step in _MODELS:
        file, scores = state.done[step]["file"], state.done[f"eval_{step}"]
        speed = measured[file]
        models.append(
            ModelOfJob(
                name,
                job.folder / file,
                number(scores["Dice Average"], 0, 1, "Dice Average"),
                number(scores["mIoU"], 0, 1, "mIoU"),
                whole_number(speed["size_bytes"], 0, 1 << 53, "size_bytes"),
                number(speed["latency_median_s"], 0, math.inf, "latency_median_s"),
            )
        )
    return Outcome(
        folder=job.folder,
        template=str(state.done["train"]["template"]),
        models=tuple(models),
        images=whole_number(state.done["eval_train"]["images"], 1, 1 << 53, "images"),
        package=job.folder / state.done["deploy"]["file"],
        skipped=skipped,
        steps=state.done,
        findings=tuple(Finding(**problem) for problem in state.done.get("check", {}).get("problems", ())),
    )
