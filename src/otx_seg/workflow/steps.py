"""The steps of an `otx run`, in their order: each calls one verb and gives plain values.

A further step is one function and one line in `STEPS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.datasets import Subset
from otx_seg.errors import DataError
from otx_seg.inputs.check_sources import sources_of
from otx_seg.inputs.last_training import open_measured
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.verbs.benchmark import checked_threads, compare
from otx_seg.verbs.check import inspect_data
from otx_seg.verbs.deploy import deploy
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.export import export
from otx_seg.verbs.optimize import quantize_ir
from otx_seg.verbs.train import train_planned
from otx_seg.workflow.job import Job
from otx_seg.workspace.run_folder import Destination, RunFolder, point_latest

logger = logging.getLogger(__name__)

Done = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """One step of a job.

    Attributes:
        name: of the step and of its folder.
        title: what it does, for people.
        work: does it; given the job and the results of the steps before, it gives its own. ``file`` in it names the
            step's product, relative to the job's folder.
    """

    name: str
    title: str
    work: Callable[[Job, Done], dict[str, Any]]


_TOLD = ("severity", "what", "advice")
"""Of a problem, what the report of the job tells; the page of the check names the files too."""


def _check(job: Job, done: Done) -> dict[str, Any]:
    page = job.folder / "check" / "check.html"
    with job.shown() as display:
        result = inspect_data(sources_of(job.data), page, progress=display.on_scan)
    if result.usable_for != "training":
        worst = f": {result.problems[0].what}; {result.problems[0].advice}" if result.problems else ""
        raise DataError(f"the data is {result.verdict}{worst}; see {page}")
    logger.info("the data is %s; see %s", result.verdict, page)
    warnings = sum(problem.severity == "warning" for problem in result.problems)
    problems = [{name: getattr(problem, name) for name in _TOLD} for problem in result.problems]
    return {"file": _relative(page, job), "verdict": result.verdict, "warnings": warnings, "problems": problems}


def _train(job: Job, done: Done) -> dict[str, Any]:
    run = RunFolder(job.folder / "train")
    with job.shown() as display:
        plan = job.plan
        if run.checkpoint.is_file():
            plan = make_plan(Request(resume_from=run.path, parameters=job.free_parameters))
        result = train_planned(plan, Destination(run.path, overwrite=True), job.trackers, [display])
    point_latest(run, part_of=job.folder)
    assert result.scores is not None
    return {
        "file": _relative(result.weights, job),
        "template": templates.load(run.template).name,
        "validation_dice": result.scores.dice_average,
        "watched": result.metric.key,
        "validation_score": result.metric.of(result.scores),
        "epochs": result.epochs,
        "steps": result.steps,
        "training_s": result.elapsed_s,
        "reason": result.reason,
    }


def _eval(model_of: str) -> Callable[[Job, Done], dict[str, Any]]:
    def work(job: Job, done: Done) -> dict[str, Any]:
        name = f"eval_{model_of}"
        measured_on = _measured_on(job)
        with job.shown() as display:
            result = evaluate(
                measured_on,
                load_weights=job.folder / done[model_of]["file"],
                output=job.folder / name,
                overwrite=True,
                progress=lambda number: display.on_scan("evaluating", number, len(measured_on)),
            )
        return {"file": f"{name}/performance.json", "images": result.images, **result.as_json()}

    return work


def _measured_on(job: Job) -> Subset:
    """The test images; where there are none, those that the training took from its own folder to validate on."""
    use_polygons = job.plan.template.hyper_parameters.learning_parameters.use_otx_adapter
    return open_measured(job.data, RunFolder(job.folder / "train"), use_polygons)


def _export(job: Job, done: Done) -> dict[str, Any]:
    result = export(job.folder / done["train"]["file"], output=job.folder / "export", overwrite=True)
    return {"file": _relative(result.model, job), "agreement": result.agreement}


def _optimize(job: Job, done: Done) -> dict[str, Any]:
    with job.shown() as display:
        request = Request(job.data, load_weights=job.folder / done["export"]["file"], seed=job.plan.seed)
        result = quantize_ir(request, Destination(job.folder / "optimize", overwrite=True), None, display.on_scan)
    return {"file": _relative(result.model, job), "quantized_layers": result.quantized_layers}


def _benchmark(job: Job, done: Done) -> dict[str, Any]:
    files = [job.folder / done[step]["file"] for step in ("train", "export", "optimize")]
    with job.shown() as display:
        # Speed alone: the scores are those of the evaluations.
        to = Destination(job.folder / "benchmark", overwrite=True)
        result = compare(files, to, checked_threads(None), job.seconds, display.on_scan)
    measured = [
        {
            "file": _relative(found.variant.weights, job),
            "arithmetic": found.variant.arithmetic,
            "size_bytes": found.size_bytes,
            "latency_median_s": found.median_s,
        }
        for found in result.measurements
    ]
    return {"file": _relative(result.report, job), "processor": result.processor, "models": measured}


def _deploy(job: Job, done: Done) -> dict[str, Any]:
    result = deploy(job.folder / done["optimize"]["file"], output=job.folder / "deploy", overwrite=True)
    return {"file": _relative(result.package, job), "size_bytes": result.size}


def _relative(path: Path, job: Job) -> str:
    return path.resolve().relative_to(job.folder.resolve()).as_posix()


STEPS = (
    Step("check", "checking the data", _check),
    Step("train", "training", _train),
    Step("eval_train", "evaluating the trained network", _eval("train")),
    Step("export", "exporting to OpenVINO", _export),
    Step("eval_export", "evaluating the exported model", _eval("export")),
    Step("optimize", "quantising to INT8", _optimize),
    Step("eval_optimize", "evaluating the quantised model", _eval("optimize")),
    Step("benchmark", "measuring size and speed", _benchmark),
    Step("deploy", "packing the quantised model", _deploy),
)
"""In their order; each may use the results of those before it."""
