"""What a training's plan leaves open, decided once the images have been looked through."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from accelerate.utils import gather_object

from otx_seg import algorithms
from otx_seg import template as templates
from otx_seg.algorithms.build_losses import takes_label_weights
from otx_seg.configuration.facts import AS_GIVEN, DataFacts, Decision, MachineFacts, data_facts
from otx_seg.configuration.learning import (
    CLASS_WEIGHTS,
    EPOCHS,
    FROZEN_START,
    INTERVAL,
    LOSS,
    choose_batch_size,
    choose_class_weights,
    choose_epochs,
    choose_frozen_start,
    choose_interval,
    choose_largest_batch,
    choose_learning_rate,
    choose_loss,
    choose_repeats,
    choose_workers,
    epochs_of,
    estimate_largest_batch,
)
from otx_seg.configuration.network import (
    ENOUGH_STEPS,
    TEMPLATE,
    Budget,
    Candidate,
    Option,
    choose_network,
    options,
    output_grid,
)
from otx_seg.datasets import ScanReport, TrainingData, format_of
from otx_seg.datasets.ceiling import Grid, ceilings
from otx_seg.datasets.loading.epoch_sampler import EpochSize
from otx_seg.errors import OtxError
from otx_seg.inference.teacher import open_teacher
from otx_seg.template import Template
from otx_seg.template.input_sizes import INPUT_SIZE
from otx_seg.template.search_space import BATCH_SIZE, LEARNING_RATE, limits
from otx_seg.training.largest_batch import find_largest_batch
from otx_seg.training.setup.build import new_network
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.train_type import PARAMETER
from otx_seg.workspace.published_weights import find_local
from otx_seg.workspace.teacher_file import TeacherFile

logger = logging.getLogger(__name__)

_HIGH_CEILING, _LOW_CEILING = 0.9, 0.4
"""Dice that a perfect network reaches on a label: below the first it is told, below the second it is a warning."""


def configure(plan: Plan, data: TrainingData, report: ScanReport | None, machine: MachineFacts) -> Plan:
    """Decide the `auto` values of a plan.

    Args:
        report: on the training images; None where these have no masks.

    Returns:
        The plan with a template that leaves nothing open, and with every decision, those of the user among them.
    """
    by_data = (
        *_kind_of_data(plan, report is not None),
        Decision("algo_backend.train_type", plan.train_type, plan.reason),
        _validation(data),
    )
    decide = _without_masks if report is None else partial(_with_masks, report)
    template, made = decide(plan, data, machine)
    return replace(plan, template=template, decisions=(*by_data, *made))


def with_validation(decisions: Sequence[Decision], data: TrainingData) -> tuple[Decision, ...]:
    """Decisions that were made for another fold, with the validation images of this one."""
    own = _validation(data)
    return tuple(own if decision.parameter == own.parameter else decision for decision in decisions)


def _validation(data: TrainingData) -> Decision:
    return Decision("validation", 0 if data.val is None else len(data.val), data.split.removeprefix("validation: "))


def _kind_of_data(plan: Plan, with_masks: bool) -> tuple[Decision, ...]:
    task = "SEGMENTATION"
    if not with_masks:
        return (Decision("task", task, "a backbone for it, because there are only images"),)
    spec = plan.data
    assert spec.train_root is not None
    name = format_of(spec.train_root, spec.data_format, spec.train_annotations, silent=True)
    named = spec.data_format is not None or spec.train_annotations is not None
    looks = Decision("data_format", name, AS_GIVEN if named else "the format of the folder", named)
    return Decision("task", task, "masks give each pixel a label"), looks


def _with_masks(
    report: ScanReport, plan: Plan, data: TrainingData, machine: MachineFacts
) -> tuple[Template, list[Decision]]:
    names = data.train.labels.names
    facts = data_facts(report, data.train.labels, step_cost(plan), len(data.new))
    found = _options(plan, facts)
    reachable = _ceilings(data, report, found)
    template, decision, size = _choose_network(plan, facts, machine, found, reachable)
    template, size = _settle(template, _trained_size(plan) or size)
    template, batch = _settle_batch(template, plan, data, machine, _batch_size(template, facts, machine))
    made = [decision, size, *batch]
    for choose in (_workers, _rounds, _epochs, _interval):
        template, decision = _settle(template, choose(template, facts, machine))
        made.append(decision)
    packaged, weighted = _packaged(template), CLASS_WEIGHTS not in template.left_open
    template, decision = _settle(template, choose_loss(template.lists_main_losses, packaged, weighted))
    made.append(decision)
    weights = Decision(CLASS_WEIGHTS, "none", "the loss has no label weights")
    if takes_label_weights(template):
        weights = choose_class_weights(report.label_statistics, names)
    for choice in (weights, choose_frozen_start(packaged, continued=plan.load_weights is not None)):
        template, decision = _settle(template, choice)
        made.append(decision)
    _tell_ceiling(template, reachable[output_grid(template.input_size, template.output_stride)], size)
    return template, made


def _ceilings(data: TrainingData, report: ScanReport, found: Sequence[Option]) -> dict[Grid, dict[str, float]]:
    """The Dice of a perfect network on each label that counts and is shown, by the grid of the output."""
    labels = data.train.labels
    counted = {labels.names[index] for index in labels.foreground}
    grids = list(dict.fromkeys(option.grid for option in found))
    by_grid = zip(grids, ceilings(data.train, report, data.train.samples, grids), strict=True)
    return {grid: {name: value for name, value in dice.items() if name in counted} for grid, dice in by_grid}


def _tell_ceiling(template: Template, dice: dict[str, float], size: Decision) -> None:
    """Say how good a perfect network would be whose input and output are as large, before hours are spent."""
    height, width = template.input_size
    low = sorted((value, name) for name, value in dice.items())
    if not low:
        return
    what = f"ceiling: {template.name} at {height}x{width} answers for squares of {template.output_stride:g} pixels"
    mean = fmean(value for value, _ in low)
    told = ", ".join(f"{value:.2f} on {name}" for value, name in low[:3] if value < _HIGH_CEILING)
    reached = f"{mean:.2f}" + (told and f" ({told})")
    if low[0][0] >= _LOW_CEILING:
        logger.info("%s: a perfect one reaches a Dice of %s", what, reached)
        return
    limited = template.hyper_parameters.learning_parameters.max_minutes and not size.given
    logger.warning(
        "%s: even a perfect one reaches a Dice of only %s; %s, take a template with a finer output, or cut the images "
        "into parts",
        what,
        reached,
        "give more time for a larger input" if limited else "set a larger learning_parameters.input_size",
    )


def _settle_batch(
    template: Template, plan: Plan, data: TrainingData, machine: MachineFacts, usual: Decision
) -> tuple[Template, list[Decision]]:
    """The template with a batch size, and with the learning rate that goes with it where memory decided on it."""
    parameters = template.hyper_parameters.learning_parameters
    if parameters.auto_adapt_batch_size != "Full" or BATCH_SIZE not in template.left_open:
        template, decision = _settle(template, usual)
        return template, [decision]
    most = min(int(limits(BATCH_SIZE)[1]), max(1, len(data.train) // machine.world_size))
    largest = _batch_that_fits(template, data, machine, step_cost(plan), most, plan.teacher)
    batch = choose_largest_batch(max(largest, usual.value), most, len(data.train), machine.gpu)
    template, made = template.override({BATCH_SIZE: batch.value}), [batch]
    if LEARNING_RATE not in plan.given:
        rate = choose_learning_rate(parameters.learning_rate, usual.value, batch.value, limits(LEARNING_RATE)[1])
        template, made = template.override({LEARNING_RATE: rate.value}), [batch, rate]
    return template, made


def step_cost(plan: Plan) -> float:
    """Cost of a training step relative to one of supervised training: 2 where each image comes with a second one."""
    paired = plan.train_type != "Incremental" or plan.template.hyper_parameters.learning_parameters.enable_supcon
    return 2.0 if paired else 1.0


def _settle(template: Template, decision: Decision) -> tuple[Template, Decision]:
    """Put a decision into effect, unless the user has decided already."""
    if decision.parameter in template.left_open:
        return template.override({decision.parameter: decision.value}), decision
    group, name = decision.parameter.split(".")
    value = getattr(getattr(template.hyper_parameters, group), name)
    return template, Decision(decision.parameter, value, AS_GIVEN, given=True)


def _options(plan: Plan, data: DataFacts) -> list[Option]:
    """The pairs of template and input size that the user leaves open."""
    given = None if INPUT_SIZE in plan.template.left_open else plan.template.input_size
    candidates = [plan.template]
    if not plan.template_named:
        shipped = [templates.load(item.path) for item in templates.find_templates() if item.category in ENOUGH_STEPS]
        fitting = [template for template in shipped if given is None or given in template.input_sizes]
        candidates = [template.override(plan.given) for template in fitting]
    return options(data, [_candidate(template) for template in candidates], given or plan.trained_size)


def _choose_network(
    plan: Plan, data: DataFacts, machine: MachineFacts, found: Sequence[Option], reachable: dict[Grid, dict[str, float]]
) -> tuple[Template, Decision, Decision]:
    """The template, and why it and its input size were chosen."""
    parameters = plan.template.hyper_parameters.learning_parameters
    budget = Budget(machine, parameters.max_minutes, parameters.step_images, data.work)
    means = {grid: fmean(dice.values()) if dice else 1.0 for grid, dice in reachable.items()}
    decision, size = choose_network(data, budget, found, means, plan.template_named)
    if plan.template_named:
        return plan.template, _named_template(plan), size
    return templates.load(decision.value).override({**plan.given, PARAMETER: plan.train_type}), decision, size


def _named_template(plan: Plan) -> Decision:
    return Decision(TEMPLATE, plan.template.name, plan.template_reason, plan.template_reason == AS_GIVEN)


def _candidate(template: Template) -> Candidate:
    cost = (template.gigaflops, template.output_stride, template.cpu_gigaflops_per_s)
    has_weights = _has_weights(template)
    return Candidate(template.name, template.category, *cost, pretrained=has_weights, sizes=template.input_sizes)


def _has_weights(template: Template) -> bool:
    """Whether the backbone can start from published weights without a download."""
    published = template.pretrained
    if template.hyper_parameters.learning_parameters.pretrained not in ("auto", "required") or not published.exists:
        return False
    try:
        return find_local(published) is not None
    except OtxError:
        return False  # a package with another file, of which the training warns


def _trained_size(plan: Plan) -> Decision | None:
    """The input size of the weights to start from: their filters know things at the size they have in it."""
    if plan.trained_size is None:
        return None
    height, width = plan.trained_size
    return Decision(INPUT_SIZE, f"{height}x{width}", "that of the weights")


def _batch_size(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    return choose_batch_size(machine, template.training_gigabytes, template.input_side, data.work)


def _workers(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    return choose_workers(machine)


def _rounds(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    one_round = replace(_epoch(template, data.images, data.new, machine), rounds=1)
    return choose_repeats(one_round, counted=EPOCHS not in template.left_open)


def _epoch(template: Template, images: int, new: int, machine: MachineFacts) -> EpochSize:
    parameters = template.hyper_parameters.learning_parameters
    return EpochSize(images, parameters.step_images, machine.world_size, parameters.rounds_per_epoch, new)


def _epochs(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    parameters = template.hyper_parameters.learning_parameters
    affordable = math.inf
    if not machine.gpu:  # how fast a GPU is, is a guess
        budget = Budget(machine, 0, parameters.step_images, data.work)
        affordable = budget.steps(_candidate(template), template.input_side)
    return choose_epochs(_epoch(template, data.images, data.new, machine), parameters.max_minutes, affordable)


def _interval(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    minutes = template.hyper_parameters.learning_parameters.max_minutes
    return choose_interval(_epoch(template, data.images, data.new, machine), minutes)


def _packaged(template: Template) -> bool:
    """Whether the backbone has published weights that are installed as a package."""
    return template.pretrained.package is not None and _has_weights(template)


def _without_masks(plan: Plan, data: TrainingData, machine: MachineFacts) -> tuple[Template, list[Decision]]:
    """Decisions for images that nothing is known of but their number."""
    images, parameters = len(data.train), plan.template.hyper_parameters.learning_parameters
    unseen = "the default, because no masks are used"
    named = _named_template(plan) if plan.template_named else Decision(TEMPLATE, plan.template.name, unseen)
    template, made = plan.template, [named]

    def usual(name: str) -> Decision:
        return Decision(name, getattr(parameters, name.split(".")[1]), unseen)

    template, decision = _settle(template, _trained_size(plan) or usual(INPUT_SIZE))
    fitting = choose_batch_size(machine, template.training_gigabytes, template.input_side, step_cost(plan))
    template, batch = _settle_batch(template, plan, data, machine, fitting)
    made += [decision, *batch]
    one_round = replace(_epoch(template, images, 0, machine), rounds=1)
    rounds = choose_repeats(one_round, counted=EPOCHS not in template.left_open)
    for decision in (choose_workers(machine), rounds):
        template, decision = _settle(template, decision)
        made.append(decision)
    epoch = _epoch(template, images, 0, machine)
    if parameters.max_minutes:
        epochs = choose_epochs(epoch, parameters.max_minutes)
    else:
        steps = template.hyper_parameters.self_supervised.steps
        epochs = Decision(EPOCHS, epochs_of(steps, epoch), f"self_supervised.steps={steps}")
    frozen = Decision(FROZEN_START, 0, "the backbone alone is trained")
    for decision in (epochs, *map(usual, (INTERVAL, LOSS, CLASS_WEIGHTS)), frozen):
        template, decision = _settle(template, decision)
        made.append(decision)
    return template, made


def _batch_that_fits(
    template: Template,
    data: TrainingData,
    machine: MachineFacts,
    work: float,
    most: int,
    teacher: TeacherFile | None,
) -> int:
    """The largest batch that fits into memory: estimated, or tried on the GPU.

    Args:
        work: see `DataFacts`.
        most: images that are tried at most.

    Returns:
        images per step and process, the same for all processes; 0 where nothing is known of the memory.
    """
    estimated = estimate_largest_batch(machine, template.training_gigabytes, template.input_side, work)
    if estimated is not None:
        return estimated
    if not machine.gpu:
        return 0
    # What the labels weigh takes no memory.
    labels = data.train.labels
    taught_by = None if teacher is None else open_teacher(teacher, labels)
    algorithm = algorithms.build(template, new_network(template, data), (1.0,) * len(labels), taught_by)
    # Each process has a GPU of its own; all have to make batches of one size.
    return min(gather_object([find_largest_batch(algorithm, data, template, most)]))
