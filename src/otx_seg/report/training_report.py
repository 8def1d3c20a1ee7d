"""Messages at the start of a training, and the report at its end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otx_seg.configuration.facts import Decision
from otx_seg.configuration.learning import MOST_EPOCHS
from otx_seg.datasets import ScanReport, TrainingData
from otx_seg.metrics.confusion import Scores
from otx_seg.report.curves import draw_curves
from otx_seg.report.progress import format_duration
from otx_seg.report.run_report.make import report_training
from otx_seg.report.run_report.record import Trained, environment_now
from otx_seg.report.tables import as_text, scores_table
from otx_seg.report.trials import describe_trials, read_trials
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.template.plain_names import in_short, plainly
from otx_seg.training.devices import describe_device
from otx_seg.training.loggers import TrainResult
from otx_seg.training.setup.plan import Plan
from otx_seg.training.state import TrainState
from otx_seg.words import count, listed
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.run_folder import RunFolder, delete_tensors, point_latest
from otx_seg.workspace.teacher_file import TeacherFile

logger = logging.getLogger(__name__)

_SAID_ELSEWHERE = ("algo_backend.train_type", "validation")  # of the decisions


def announce_plan(plan: Plan, data: TrainingData, run: RunFolder, origin: str, length: str = "") -> None:
    """Print the plan of a training, with the decisions.

    Args:
        origin: where the network's weights come from.
        length: how long it takes, in words, where the plan is that of another training.
    """
    parameters = plan.template.hyper_parameters.learning_parameters
    what: list[str] = []
    if plan.resumed_run is None:
        _announce(plan.decisions)
    else:
        size, batch = parameters.input_size, parameters.batch_size
        what = [f"template {plan.template.name}", f"input {size}", f"batches of {batch}"]
    if data.unlabelled is not None:
        what.append(f"{parameters.unlabeled_batch_size} unlabelled images with each batch")
    logger.info("device: %s; %s", describe_device(), origin)
    logger.info("training: %s, %s", plan.train_type, plan.reason)
    if plan.teacher is not None:
        logger.info("%s", _teacher_text(plan, plan.teacher))
    if data.val is None:  # else it has been said, with what the images show
        logger.info("%s", data.split)
    logger.info("%s; results go to %s", ", ".join((*what, length or _length(parameters))), run.path)


def _length(parameters: LearningParameters) -> str:
    """When a training ends at the latest, in words."""
    limits = [f"at most {count(parameters.max_minutes, 'minute')}"] if parameters.max_minutes else []
    if not limits or parameters.num_iters < MOST_EPOCHS:
        limits.insert(0, f"up to {count(parameters.num_iters, 'epoch')}")
    return ", ".join(limits)


def _teacher_text(plan: Plan, teacher: TeacherFile) -> str:
    how = plan.template.hyper_parameters.distillation
    return f"teacher {teacher.path}: {how.loss}, weight {how.weight:g}, temperature {how.temperature:g}"


def _announce(decisions: Sequence[Decision]) -> None:
    """Say what was decided and why, a line each; what the user decided in one line."""
    for decision in decisions:
        if not decision.given and decision.parameter not in _SAID_ELSEWHERE:
            name = in_short(decision.parameter)
            logger.info("decided: %s %s (%s)", name, decision.value, decision.reason)
    given = ", ".join(f"{in_short(decision.parameter)} {decision.value}" for decision in decisions if decision.given)
    if given:
        logger.info("as given: %s", given)


def report_resume(position: TrainState, state: dict[str, Any], processes: int) -> None:
    """Say where a run continues, and if it does with other processes than before.

    Args:
        state: the checkpoint.
        processes: that train now.
    """
    logger.info("resuming in epoch %d, after %s", position.epoch + 1, count(position.step, "step"))
    before = state.get("processes", processes)
    if before != processes:
        logger.warning(
            "the run was trained by %s together so far and is by %s now, so that a step uses %g times as many images: "
            "start it as before to get the same result",
            count(before, "process"),
            count(processes, "process"),
            processes / before,
        )


def report_finished(run: RunFolder, reason: str) -> None:
    """Say that there is nothing to continue with.

    Args:
        reason: why the training had ended.
    """
    logger.info("%s is already finished: %s. This is its result", run.path, reason)


def finish(
    run: RunFolder, plan: Plan, data: TrainingData, report: ScanReport | None, origin: str, result: TrainResult
) -> None:
    """Draw the curves, write the reports, delete the search's files, and name labels that were not learned.

    Args:
        report: what the training images hold; None where they have no masks.
    """
    draw_curves(run.metrics, run.curves)
    if data.val is not None:
        point_latest(run)  # a backbone cannot be evaluated or exported
    chosen = plan.template
    search = {}
    if run.trials.exists():
        search = {"Search for hyper-parameters": describe_trials(read_trials(run.trials))}
        delete_tensors(run.search)  # the best of it is this run
    write_report(
        run.report,
        {
            "Template": f"{chosen.name} ({chosen.id})\n{chosen.summary}",
            "Dataset": _dataset_text(plan, data),
            "Decisions": "\n".join(
                f"{plainly(item.parameter)} = {item.value}: {item.reason}" for item in plan.decisions
            ),
            "Configuration": f"training: {plan.train_type}, {plan.reason}\n{origin}\nseed {plan.seed}\n"
            + (f"{_teacher_text(plan, plan.teacher)}\nSHA-256 {plan.teacher.digest}\n" if plan.teacher else "")
            + chosen.as_yaml(),
            **search,
            "Results": _results_text(result),
        },
    )
    trained = Trained(
        template=chosen.name,
        summary=chosen.summary,
        kind=f"{plan.train_type}, {plan.reason}",
        origin=origin,
        kept=network_kept(result),
        epochs=result.epochs,
        steps=result.steps,
        elapsed_s=result.elapsed_s,
        reason=result.reason,
        backbone=result.scores is None,
        temperature=result.temperature,
    )
    report_training(run, trained, data, report, result, plan.last_round)
    if result.scores is not None:
        warn_unlearned(result.scores)


def write_report(path: Path, sections: dict[str, str]) -> None:
    """Write `cli_report.log`: the environment and the given sections ({heading: text}), for reading months later."""
    parts = {"Environment": "\n".join(environment_now().lines()), **sections}
    write_text(
        path, "\n".join(f"{heading}\n{'-' * len(heading)}\n{text.rstrip()}\n" for heading, text in parts.items())
    )


def warn_unlearned(scores: Scores) -> None:
    """Warn of the labels that a network never answers with, though the validation images show them."""
    missed = [name for name, score in scores.per_label.items() if not score.pixels_predicted]
    if missed:
        logger.warning(
            "no pixel of the validation images was predicted as %s: train longer, with a larger "
            "learning_parameters.input_size, or with more images that show %s",
            ", ".join(missed),
            "it" if len(missed) == 1 else "them",
        )


def _dataset_text(plan: Plan, data: TrainingData) -> str:
    skipped = "".join(f"\n{message}" for message in data.skipped)
    if data.val is None:
        return f"{plan.data.train_root}\n{len(data.train)} images without masks{skipped}"
    files = f"{len(data.train)} training and {len(data.val)} validation images; {data.split}"
    if data.unlabelled is not None:
        files += f"\n{plan.data.unlabelled_root}: {len(data.unlabelled)} unlabelled images"
    mapped = "" if plan.data.label_map is None else f" (after the label map {plan.data.label_map.source})"
    return f"{plan.data.train_root}\n{files}\nlabels{mapped}: {', '.join(data.train.labels.names)}{skipped}"


def network_kept(result: TrainResult) -> str:
    """Which network was kept, and why if that was a decision."""
    own = f"network of epoch {result.epoch}"
    which = f"mean of the networks of epochs {listed(result.averaged)}" if result.averaged else own
    kept = f"kept: the {which} of {result.epochs}"
    return f"{kept}; {result.choice}" if result.choice else kept


def _results_text(result: TrainResult) -> str:
    outcome = f"time elapsed: {format_duration(result.elapsed_s)}\nended: {result.reason}\n"
    if result.scores is None:
        return f"{outcome}model_path: {result.weights} (a backbone, for --load-weights)"
    return (
        f"{outcome}{network_kept(result)}\n{result.metric.name}: {result.metric.of(result.scores):.4f}\n"
        f"temperature of the confidences: {result.temperature:.3g}\n"
        f"model_path: {result.weights}\n\n{as_text(scores_table(result.scores))}"
    )
