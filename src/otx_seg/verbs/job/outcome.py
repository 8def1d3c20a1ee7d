"""What an `otx run` made: three models side by side, and a package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.verbs.job.job import Job, JobState

_MODELS = (("torch", "train"), ("OpenVINO FP32", "export"), ("OpenVINO INT8", "optimize"))


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
    """

    folder: Path
    template: str
    models: tuple[ModelOfJob, ...]
    images: int
    package: Path
    skipped: tuple[str, ...]
    steps: dict[str, dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "folder": str(self.folder),
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
    """
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
                scores["Dice Average"],
                scores["mIoU"],
                speed["size_bytes"],
                speed["latency_median_s"],
            )
        )
    return Outcome(
        folder=job.folder,
        template=state.done["train"]["template"],
        models=tuple(models),
        images=state.done["eval_train"]["images"],
        package=job.folder / state.done["deploy"]["file"],
        skipped=skipped,
        steps=state.done,
    )
