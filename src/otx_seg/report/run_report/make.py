"""What each verb leaves for its report; each of these functions writes the record, and the report from it.

A report that cannot be made ends no command: what it is about is done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from otx_seg.datasets import ScanReport, Subset, TrainingData
from otx_seg.datasets.check.problems import Problem, label_problems
from otx_seg.deployment.outcome import Quantized
from otx_seg.errors import OtxError
from otx_seg.inference.evaluate import Evaluation
from otx_seg.inference.predictor import load_predictor
from otx_seg.metrics.confusion import Scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.report.image_scores import write_image_scores
from otx_seg.report.run_report.draw import write_page
from otx_seg.report.run_report.last_round import compare_rounds
from otx_seg.report.run_report.pictures import write_pictures
from otx_seg.report.run_report.record import (
    Evaluated,
    Finding,
    ModelRow,
    RunRecord,
    ShownImage,
    Trained,
    UsedData,
    environment_now,
)
from otx_seg.runtime.augmented_views import ONE_VIEW, AugmentedViews
from otx_seg.runtime.predict_mask import SlidingWindow
from otx_seg.runtime.predictor import Predictor
from otx_seg.training.loggers import TrainResult
from otx_seg.words import count
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

TORCH, FP32, INT8 = "torch", "OpenVINO FP32", "OpenVINO INT8"
"""What the trained, the exported and the quantised model are called."""


def report_training(
    run: RunFolder,
    record: Trained,
    data: TrainingData,
    report: ScanReport | None,
    result: TrainResult,
    last: Path | None = None,
) -> None:
    """The report of a training, with the scores of each validation image.

    Args:
        last: folder of the training to compare with; None: there is none.
        report: what the training images hold; None where they have no masks.
    """
    evaluated = None
    if result.counted is not None and result.scores is not None and data.val is not None:
        shown = _pictures(run, result.counted, partial(load_predictor, run.weights), data.val)
        evaluated = _evaluated(record.template, "validation image", result.scores, result.counted, shown)
    made = RunRecord("train", environment_now(), evaluated, record, _used_data(data, report))
    if last is not None and result.counted is not None and result.scores is not None:
        made = replace(made, last_round=compare_rounds(RunFolder(last), run, result.scores, result.counted))
    _write(run, made, result.counted)


def report_evaluation(run: RunFolder, name: str, evaluation: Evaluation, predictor: Predictor, subset: Subset) -> None:
    """The report of an evaluation.

    Args:
        name: what the model is called.
    """
    counted = evaluation.counted
    assert counted is not None
    shown = _pictures(run, counted, lambda: predictor, subset, evaluation.window, evaluation.views)
    evaluated = _evaluated(name, "image", evaluation.scores, counted, shown, evaluation.seconds_per_image)
    _write(run, RunRecord("eval", environment_now(), evaluated))


def report_quantization(run: RunFolder, result: Quantized, data: TrainingData) -> None:
    """The report of a quantisation, with the scores of each validation image."""
    counted, models = result.after.counted, []
    assert data.val is not None
    assert counted is not None
    for name, file, scores, size, latency in (
        (FP32, "", result.before.scores, result.size_before, result.latency_before),
        (INT8, str(result.model), result.after.scores, result.size_after, result.latency_after),
    ):
        models.append(ModelRow(name, file, scores.dice_average, size, latency))
    shown = _pictures(run, counted, partial(load_predictor, result.model), data.val)
    evaluated = _evaluated(INT8, "validation image", result.after.scores, counted, shown, result.latency_after)
    used = _used_data(data, None)
    _write(run, RunRecord("optimize", environment_now(), evaluated, data=used, models=tuple(models)), counted)


def report_whole_job(
    run: RunFolder, verb: str, models: Sequence[ModelRow], parts: Sequence[str], findings: Sequence[Finding] = ()
) -> None:
    """The report of several commands together.

    Args:
        models: that were made, in their order.
        parts: folders within `run` of the runs to tell of: the first that knows of something tells it.
        findings: of a check of the data.
    """
    now = environment_now()
    _write(run, RunRecord(verb, now, models=tuple(models), findings=tuple(findings), parts=tuple(parts)))


def _pictures(
    run: RunFolder,
    counted: CountedImages,
    open_model: Callable[[], Predictor],
    subset: Subset,
    window: SlidingWindow | None = None,
    views: AugmentedViews = ONE_VIEW,
) -> tuple[ShownImage, ...]:
    try:
        return write_pictures(counted, open_model(), subset, run, window, views)
    except (OtxError, OSError) as error:
        logger.warning("the report has no pictures: %s", error)
        return ()


def _write(run: RunFolder, record: RunRecord, counted: CountedImages | None = None) -> None:
    """Write a record and its page, and the scores of each image if there are any."""
    try:
        if counted is not None:
            write_image_scores(counted, run.image_scores)
        record.write(run)
        write_page(run)
    except (OtxError, OSError) as error:
        again = otx_command("report", run.path)
        reason = error.strerror if isinstance(error, OSError) else error
        logger.warning("%s: the report was not written (%s); try again with: %s", run.page, reason, again)


def _evaluated(
    name: str,
    kind: str,
    scores: Scores,
    counted: CountedImages,
    shown: tuple[ShownImage, ...],
    seconds_per_image: float | None = None,
) -> Evaluated:
    """
    Args:
        kind: what an image is called.
    """
    images = len(counted.files)
    return Evaluated(
        model=name,
        images=images,
        images_are=count(images, kind),
        labels=counted.labels,
        scores=scores.as_json(),
        confusion=tuple(map(tuple, counted.pixels.confusion.tolist())),
        shown=shown,
        seconds_per_image=seconds_per_image,
        reliability=counted.pixels.reliability,
    )


def _used_data(data: TrainingData, report: ScanReport | None) -> UsedData:
    numbers = {"training images": len(data.train)}
    numbers |= {} if data.val is None else {"validation images": len(data.val)}
    numbers |= {} if data.unlabelled is None else {"unlabelled images": len(data.unlabelled)}
    names = data.train.labels.names
    problems: list[Problem] = []
    shares = {}
    if report is not None:
        problems = label_problems("training data", data.train.labels, report, names)
        shares = dict(zip(names, report.share_per_label, strict=True))
    findings = [Finding(problem.severity, problem.what, problem.advice) for problem in problems]
    findings += [Finding("warning", message, "") for message in data.skipped]
    return UsedData(str(data.train.root), data.split, numbers, shares, tuple(findings))
