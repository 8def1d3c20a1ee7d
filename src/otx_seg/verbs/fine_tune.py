"""`otx optimize` of trained weights: quantisation-aware training."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

from otx_seg import template as templates
from otx_seg.datasets import DEFAULT_SEED, TrainingData
from otx_seg.datasets.scan import Progress
from otx_seg.deployment.calibration import recipe
from otx_seg.deployment.outcome import FOLDER, FineTuned, read_fine_tuned
from otx_seg.deployment.quantization_aware import (
    BEST,
    FineTuning,
    fine_tune,
    fine_tuning_template,
    refuse_quantized,
)
from otx_seg.errors import UsageError
from otx_seg.inputs.last_training import hint_to_label_map
from otx_seg.interrupts import interruptions_as_such
from otx_seg.processes import refuse_several
from otx_seg.report.run_report.make import report_quantization
from otx_seg.report.training_report import report_finished
from otx_seg.template import USED_TO_QUANTIZE, Template
from otx_seg.template.plain_names import plainly
from otx_seg.training.checkpoint import (
    OPTIMIZE,
    find_checkpoint,
    nothing_trained,
    read_checkpoint,
    refuse_other_template,
    template_of,
)
from otx_seg.training.context import TrainContext
from otx_seg.training.ending import with_resume_command
from otx_seg.training.loggers import Loggers
from otx_seg.training.recorded_data import read_recorded
from otx_seg.training.setup.data import check_data, describe_data, label_weights, open_data, refuse_other_data
from otx_seg.training.setup.plan import Plan, Request
from otx_seg.workspace.atomic import write_text
from otx_seg.workspace.command_line import resume_command
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import Destination, RunFolder, open_run
from otx_seg.workspace.weights import read_weights

logger = logging.getLogger(__name__)

_PRODUCTS = (f"{FOLDER}/openvino.xml", "template.yaml")


def fine_tune_weights(request: Request, to: Destination, loggers: Loggers, progress: Progress | None) -> FineTuned:
    """Quantise trained weights, and fine-tune them; see `optimize`, which has made sure that no argument is missing.

    Raises:
        UsageError: arguments that make no sense, weights that cannot be quantised, or data with other labels.
        DataError: the data cannot be used.
        OtxError: the training failed or was interrupted; the message says how to continue.
    """
    refuse_several("otx optimize")
    for name in request.parameters:
        if name not in USED_TO_QUANTIZE[".pth"]:
            used = ", ".join(map(plainly, USED_TO_QUANTIZE[".pth"]))
            raise UsageError(f"{plainly(name)!r} has no effect here; with a .pth, this command uses {used}")
    plan = _new_plan(request) if request.resume_from is None else _resumed_plan(request, Path(request.resume_from))
    assert plan.load_weights is not None
    weights = read_weights(plan.load_weights)
    refuse_quantized(weights.state_dict, plan.load_weights)
    run = _open_run(plan, to)
    go_on = with_resume_command(OPTIMIZE, run, plan.resumed_run is not None)
    with log_to(run) as note, go_on, interruptions_as_such():
        finished = None if plan.resumed_run is None else read_fine_tuned(run)
        if finished is not None:
            report_finished(run, finished.reason)
            return finished
        data, report = check_data(plan, open_data(plan), progress)
        _refuse_other_labels(plan, data.train.labels.names)
        if plan.state is not None:
            refuse_other_data(plan, data)
        settings = plan.template.hyper_parameters.nncf_optimization
        how = FineTuning(
            plan.load_weights,
            weights.template or plan.template,
            recipe(plan.template),
            settings.pruning_ratio if settings.enable_pruning else 0.0,
        )
        context = TrainContext(plan.template, data, label_weights(plan, report), run, plan.seed, loggers)
        describe = functools.partial(_describe, plan, data)
        result = fine_tune(how, context, plan.state, progress, describe)
        _report_outcome(result, settings.maximal_accuracy_degradation)
        report_quantization(run, result, data)
        note(f"{result.model}: {result.summary}")
    return result


def _new_plan(request: Request) -> Plan:
    assert request.load_weights is not None
    path = Path(request.load_weights)
    weights = read_weights(path)
    chosen = _asked(_template_of(path, weights.template, request.template), request.parameters)
    seed = DEFAULT_SEED if request.seed is None else request.seed
    return Plan(chosen, "quantisation-aware", request.data, seed, path, weights.labels, None, None, fold=request.fold)


def _resumed_plan(request: Request, resume_from: Path) -> Plan:
    path = find_checkpoint(resume_from)
    state = read_checkpoint(path, OPTIMIZE)
    of_run = template_of(state, path)
    refuse_other_template(of_run, _template_of(path, of_run, request.template).override(request.parameters))
    run = RunFolder(path.resolve().parents[2])
    recorded = read_recorded(run)
    if recorded.load_weights is None:
        raise UsageError(f"{run.data}: does not say which weights were fine-tuned; start a new run")
    recorded.refuse_other_seed(request.seed)
    recorded.refuse_other_label_map(request.data.label_map)
    data = request.data.or_else(recorded.data)
    known = read_weights(recorded.load_weights).labels
    reason = "as in the run to resume"
    return Plan(of_run, reason, data, recorded.seed, recorded.load_weights, known, state, run, fold=recorded.fold)


def _template_of(path: Path, made_from: Template | None, named: str | Path | None) -> Template:
    """The template of a file; `named` is the one it is expected to be made from, if any."""
    asked = None if named is None else templates.load(named)
    if made_from is not None and asked is not None and asked.name != made_from.name:
        raise UsageError(
            f"{path}: was made from the template {made_from.name}, not from {asked.name}; leave the template out"
        )
    chosen = made_from or asked
    if chosen is None:
        raise UsageError(f"{path}: does not contain its template; name it")
    return chosen


def _asked(template: Template, parameters: dict[str, Any]) -> Template:
    chosen = template.override(parameters)
    settings = chosen.hyper_parameters.nncf_optimization
    if settings.enable_pruning and not settings.pruning_supported:
        raise UsageError(
            "nncf_optimization.enable_pruning: these weights come with nncf_optimization.pruning_supported=False; set "
            "that to True as well to prune them anyway"
        )
    if "nncf_optimization.pruning_ratio" in parameters and not settings.enable_pruning:
        raise UsageError("nncf_optimization.pruning_ratio has no effect without nncf_optimization.enable_pruning=True")
    return fine_tuning_template(chosen)


def _refuse_other_labels(plan: Plan, names: tuple[str, ...]) -> None:
    """
    Raises:
        UsageError: the data has labels that the weights do not know.
    """
    assert plan.known is not None
    assert plan.load_weights is not None
    new = [name for name in names if name not in plan.known.names]
    if new:
        raise UsageError(
            f"{plan.data.train_root}: has labels that {plan.load_weights} lacks: {', '.join(new)}; train on them first"
            f"{hint_to_label_map(plan.load_weights)}"
        )


def _open_run(plan: Plan, to: Destination) -> RunFolder:
    held = to.named
    if plan.resumed_run is None:
        products = _PRODUCTS[:1] if held is not None and nothing_trained(held) else _PRODUCTS
        go_on = resume_command(OPTIMIZE, held.path) if held is not None and held.checkpoint.is_file() else ""
        return open_run(to, OPTIMIZE, products, plan.data.folders, go_on)
    if held is not None and held.path.resolve() != plan.resumed_run.path.resolve():
        raise UsageError(f"a resumed run keeps its folder, {plan.resumed_run.path}: leave --output out")
    return open_run(Destination(plan.resumed_run.path), OPTIMIZE)


def _describe(plan: Plan, data: TrainingData, run: RunFolder) -> None:
    """Write down what is needed to continue with the run; a new one removes what another one left."""
    for left_over in (run.checkpoint, run.metrics, run.path / BEST, run.path / _PRODUCTS[0]):
        if plan.state is None:
            left_over.unlink(missing_ok=True)  # of a run that --overwrite replaces
    write_text(run.template, plan.template.as_yaml())
    describe_data(plan, data).write(run)


def _report_outcome(result: FineTuned, limit: float) -> None:
    logger.info(
        "%d epochs of fine-tuning: %s; saved: the network after epoch %d",
        result.epochs,
        result.reason,
        result.best_epoch,
    )
    if result.zeros:
        logger.info("pruned: %.1f %% of the weights of the quantised layers are 0", 100 * result.zeros)
    if 100 * result.loss > limit:
        logger.warning(
            "the quantised model loses %.2f %s points, more than the %.2f of nncf_optimization.max_score_drop; %s",
            100 * result.loss,
            result.metric.name,
            limit,
            "in torch the network keeps to that: export rounds its other parameters too, to 8 and 16 bits"
            if result.reached
            else "allow more epochs with nncf_optimization.num_epochs, or try another nncf_optimization.learning_rate",
        )
