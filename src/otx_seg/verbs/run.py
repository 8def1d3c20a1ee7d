"""`otx run`: the whole job in one command, which goes on where it stopped."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg.deployment.benchmark import DEFAULT_SECONDS
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.verbs.job import (
    STATE,
    Asked,
    Display,
    Job,
    JobState,
    SilentDisplay,
    begin_anew,
    read_state,
    what_changed,
)
from otx_seg.verbs.job_steps import STEPS, Step
from otx_seg.verbs.place import Place, open_place
from otx_seg.verbs.place_of_training import fill_from
from otx_seg.verbs.plan import Request, make_plan
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run

logger = logging.getLogger(__name__)

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


def run(
    train_data_roots: str | Path | None = None,
    val_data_roots: str | Path | None = None,
    test_data_roots: str | Path | None = None,
    *,
    template: str | Path | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    seed: int | None = None,
    parameters: dict[str, Any] | None = None,
    seconds: float = DEFAULT_SECONDS,
    shown: Callable[[], AbstractContextManager[Display]] = lambda: nullcontext(SilentDisplay()),
    say: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Train, evaluate, export, quantise, measure and pack, stopping at the first failure.

    Called again, it goes on where it stopped: what is done is not done again, a training goes on from its checkpoint.
    What is not given is then as it was.

    Args:
        train_data_roots, val_data_roots, template, workspace, seed, parameters: see `train`.
        test_data_roots: labelled images to measure the models on; None: the test data of the workspace, else the
            validation data.
        output: folder for everything; None: that of the last such job of the workspace if it is unfinished or would
            come to the same, else a new one.
        overwrite: begin anew in a folder that holds a job.
        seconds: how long each model's speed is measured.
        shown: opens what shows a step while it works.
        say: called with a line before each step.

    Raises:
        UsageError: arguments that make no sense, or others than those of the job that `output` holds.
        DataError: the data cannot be used.
        OtxError: a step failed or was interrupted.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("otx run works in one process; start it without torchrun, or use otx train for that")
    place = open_place(workspace)
    roots = [None if root is None else str(Path(root).resolve()) for root in (train_data_roots, val_data_roots)]
    test = None if test_data_roots is None else str(Path(test_data_roots).resolve())
    asked = Asked(None if template is None else str(template), *roots, test, seed, parameters or {})
    folder = Path(output) if output is not None else _last_job(place)
    state = read_state(folder) if folder is not None and not overwrite else None
    if state is not None:
        asked = asked.or_as_before(state.asked)
    job = _settle(place, asked, folder, workspace, seconds, shown)
    inputs = job.inputs()
    if state is not None and (changed := what_changed(state.inputs, inputs)):
        if output is not None or not _is_finished(state):
            raise UsageError(
                f"{folder}: the job there was begun with something else: {changed}; begin anew with --overwrite, or "
                "choose another --output"
            )
        logger.info("the last job, %s, was made with something else: %s; this is a new one", folder, changed)
        folder, state = None, None
    going_on = state is not None or overwrite
    opened = open_run(folder, "run", () if going_on else (STATE,), overwrite, (job.train_root,), place.outputs)
    job = _at(job, opened.path)
    with log_to(opened):
        if overwrite:
            begin_anew(job.folder)
        state = state or JobState(job.folder / STATE, asked, inputs)
        skipped = _work_through(job, state, say)
    return _outcome(job, state, skipped)


def _last_job(place: Place) -> Path | None:
    """The folder of the job that was begun last among the outputs of the workspace."""
    return max(
        (file.parent for file in place.outputs.glob(f"*_run*/{STATE}")), key=lambda path: path.name, default=None
    )


def _is_finished(state: JobState) -> bool:
    return all(step.name in state.done for step in STEPS)


def _settle(
    place: Place,
    asked: Asked,
    folder: Path | None,
    workspace: str | Path | None,
    seconds: float,
    shown: Callable[[], AbstractContextManager[Display]],
) -> Job:
    request = Request(
        train_root=asked.train_root,
        val_root=asked.val_root,
        template=asked.template,
        seed=asked.seed,
        parameters=asked.parameters,
    )
    plan = make_plan(fill_from(place, request))
    if plan.train_type == "Selfsupervised":
        raise UsageError(
            "otx run makes models that segment, and these images come without masks; train a backbone with otx train"
        )
    test = asked.test_root or place.test_root_if_any() or plan.roots.val
    return Job(
        folder=folder or Path(),
        template=plan.template,
        train_root=plan.roots.train,
        val_root=plan.roots.val,
        test_root=None if test is None else Path(test),
        unlabelled_root=plan.roots.unlabelled,
        unlabelled_list=plan.roots.unlabelled_list,
        seed=plan.seed,
        workspace=workspace,
        seconds=seconds,
        shown=shown,
    )


def _at(job: Job, folder: Path) -> Job:
    from dataclasses import replace

    return replace(job, folder=folder)


def _work_through(job: Job, state: JobState, say: Callable[[str], None]) -> tuple[str, ...]:
    """Do what is left to do; gives the names of the steps that were done before."""
    skipped: list[str] = []
    for number, step in enumerate(STEPS):
        place_in_order = f"{number + 1} of {len(STEPS)}"
        result = state.done.get(step.name)
        if result is not None and (job.folder / result["file"]).is_file():
            skipped.append(step.name)
            continue
        state.forget_from(later.name for later in STEPS[number:])  # they were made from what is made now
        if skipped and len(skipped) == number:
            say(f"done before: {', '.join(skipped)}")
        say(f"step {place_in_order}: {step.title}")
        _do(step, place_in_order, job, state)
    return tuple(skipped)


def _do(step: Step, place_in_order: str, job: Job, state: JobState) -> None:
    state.stopped = {"step": step.name, "reason": "it is at work, or was ended with the whole process"}
    state.write()
    start = time.monotonic()
    try:
        result = step.work(job, state.done)
    except (OtxError, KeyboardInterrupt) as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
        kind = type(error) if isinstance(error, OtxError) else OtxError
        state.stopped = {"step": step.name, "reason": reason}
        if isinstance(error, (UsageError, DataError)) and not state.done:
            state.file.unlink(missing_ok=True)  # what was refused at once leaves nothing behind
            (job.folder / "template.yaml").unlink(missing_ok=True)
            raise
        state.write()
        raise kind(
            f"{step.title} (step {place_in_order}): {reason}. Then go on with the whole job: otx run --output {job.folder}"
        ) from error
    state.done[step.name] = {**result, "seconds": round(time.monotonic() - start, 1)}
    state.stopped = {}
    state.write()


def _outcome(job: Job, state: JobState, skipped: tuple[str, ...]) -> Outcome:
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
        template=job.template.name,
        models=tuple(models),
        images=state.done["eval_train"]["images"],
        package=job.folder / state.done["deploy"]["file"],
        skipped=skipped,
        steps=state.done,
    )
