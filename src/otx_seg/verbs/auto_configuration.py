"""What a training's plan leaves open, decided once the images have been looked through."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from otx_seg import template as templates
from otx_seg.algorithms import takes_label_weights
from otx_seg.configuration.facts import DataFacts, Decision, MachineFacts, data_facts
from otx_seg.configuration.learning import (
    BATCH_SIZE,
    CLASS_WEIGHTS,
    EPOCHS,
    INTERVAL,
    LOSS,
    ROUNDS,
    choose_batch_size,
    choose_class_weights,
    choose_epochs,
    choose_interval,
    choose_loss,
    choose_rounds,
    choose_workers,
    epochs_of,
)
from otx_seg.configuration.network import ENOUGH_STEPS, INPUT_SIZE, TEMPLATE, Candidate, choose_network
from otx_seg.datasets import ScanReport, TrainingData
from otx_seg.template import Template
from otx_seg.verbs.plan import Plan
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

_SAID_ELSEWHERE = ("algo_backend.train_type", "validation")


def configure(plan: Plan, data: TrainingData, report: ScanReport | None, machine: MachineFacts) -> Plan:
    """Decide what the plan leaves open.

    Args:
        report: on the training images; None where these have no masks.

    Returns:
        The plan with a template that leaves nothing open, and with every decision, those of the user among them.
    """
    by_data = (
        Decision("algo_backend.train_type", plan.train_type, plan.reason),
        Decision("validation", 0 if data.val is None else len(data.val), data.split.removeprefix("validation: ")),
    )
    if report is None:
        template, made = _without_masks(plan, len(data.train), machine)
    else:
        template, made = _with_masks(plan, report, data.train.labels.names, machine)
    return replace(plan, template=template, decisions=(*by_data, *made))


def _with_masks(
    plan: Plan, report: ScanReport, names: tuple[str, ...], machine: MachineFacts
) -> tuple[Template, list[Decision]]:
    facts = data_facts(report, names, step_cost(plan))
    trained = _trained_size(plan)
    template, decision = _choose_template(plan, facts, machine)
    template, size = _settle(template, trained or _input_size(template, facts, machine))
    made = [decision, size]
    for choose in (_batch_size, _workers, _rounds, _epochs, _interval, _loss):
        template, decision = _settle(template, choose(template, facts, machine))
        made.append(decision)
    weights = Decision(CLASS_WEIGHTS, "none", "the loss counts all labels alike")
    if takes_label_weights(template):
        weights = choose_class_weights(report.label_statistics, names)
    template, decision = _settle(template, weights)
    return template, [*made, decision]


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
    return template, Decision(decision.parameter, value, "as given", given=True)


def _choose_template(plan: Plan, data: DataFacts, machine: MachineFacts) -> tuple[Template, Decision]:
    if plan.template_named:
        return plan.template, Decision(TEMPLATE, plan.template.name, "as given", given=True)
    shipped = [item for item in templates.find_templates() if item.category in ENOUGH_STEPS]
    candidates = [Candidate(item.name, item.category, item.gigaflops) for item in shipped]
    decision, _ = _choose_network(plan.template, candidates, data, machine, plan.trained_size)
    return templates.load(decision.value).override(plan.given), decision


def _choose_network(
    template: Template,
    candidates: Sequence[Candidate],
    data: DataFacts,
    machine: MachineFacts,
    size: tuple[int, int] | None = None,
) -> tuple[Decision, Decision]:
    parameters = template.hyper_parameters.learning_parameters
    size = size if INPUT_SIZE in template.left_open else template.input_size
    return choose_network(data, machine, parameters.max_minutes, parameters.batch_size, candidates, size)


def _trained_size(plan: Plan) -> Decision | None:
    """The input size of the weights to start from: their filters know things at the size they have in it."""
    if plan.trained_size is None:
        return None
    height, width = plan.trained_size
    return Decision(INPUT_SIZE, f"{height}x{width}", "that of the weights to start from")


def _input_size(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    this = Candidate(template.name, template.category, template.gigaflops)
    return _choose_network(template, [this], data, machine)[1]


def _batch_size(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    height, width = template.input_size
    return choose_batch_size(machine, template.gigaflops, (height * width) ** 0.5, data.work)


def _workers(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    return choose_workers(machine)


def _rounds(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    parameters = template.hyper_parameters.learning_parameters
    counted = EPOCHS not in template.left_open
    return choose_rounds(data.images, parameters.batch_size, machine.processes, counted)


def _epochs(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    parameters = template.hyper_parameters.learning_parameters
    batches = (parameters.batch_size, machine.processes, parameters.rounds_per_epoch)
    return choose_epochs(data.images, parameters.max_minutes, *batches)


def _interval(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    parameters = template.hyper_parameters.learning_parameters
    batches = (parameters.batch_size, machine.processes, parameters.rounds_per_epoch)
    return choose_interval(data.images, parameters.max_minutes, *batches)


def _loss(template: Template, data: DataFacts, machine: MachineFacts) -> Decision:
    return choose_loss(listed=template.losses is not None)


def _without_masks(plan: Plan, images: int, machine: MachineFacts) -> tuple[Template, list[Decision]]:
    """Decisions for images that nothing is known of but their number."""
    parameters = plan.template.hyper_parameters
    learning, steps = parameters.learning_parameters, parameters.self_supervised.steps
    batches = (learning.batch_size, machine.processes)
    rounds = choose_rounds(images, *batches, counted=EPOCHS not in plan.template.left_open)
    number = rounds.value if ROUNDS in plan.template.left_open else learning.rounds_per_epoch
    if learning.max_minutes:
        epochs = choose_epochs(images, learning.max_minutes, *batches, number)
    else:
        number = epochs_of(steps, images, *batches, number)
        epochs = Decision(EPOCHS, number, f"self_supervised.steps={steps}")
    usual = {
        name: Decision(name, getattr(learning, name.split(".")[1]), "as usual, since no masks are looked at")
        for name in (INPUT_SIZE, BATCH_SIZE, INTERVAL, LOSS, CLASS_WEIGHTS)
    }
    usual[INPUT_SIZE] = _trained_size(plan) or usual[INPUT_SIZE]
    template, made = plan.template, [Decision(TEMPLATE, plan.template.name, "as given or usual", plan.template_named)]
    for decision in (*usual.values(), choose_workers(machine), rounds, epochs):
        template, decision = _settle(template, decision)
        made.append(decision)
    return template, made


def with_found(decisions: Sequence[Decision], values: dict[str, Any], first: dict[str, Any]) -> tuple[Decision, ...]:
    """The decisions after a search for hyper-parameters.

    Args:
        values: what the search found, ``{"group.name": value}``.
        first: what it began with.
    """

    def after(item: Decision) -> Decision:
        value = values.get(item.parameter, item.value)
        if value == item.value:
            return item
        if value == first[item.parameter]:
            return Decision(item.parameter, value, "what the search began with")
        return Decision(item.parameter, value, f"found by the search, which began with {first[item.parameter]}")

    return tuple(map(after, decisions))


def announce(decisions: Sequence[Decision]) -> None:
    """Say what was decided and why, a line each; what the user decided in one line."""
    for decision in decisions:
        if not decision.given and decision.parameter not in _SAID_ELSEWHERE:
            name = decision.parameter.rpartition(".")[2]
            logger.info("decided: %s %s (%s)", name, decision.value, decision.reason)
    given = ", ".join(
        f"{decision.parameter.rpartition('.')[2]} {decision.value}" for decision in decisions if decision.given
    )
    if given:
        logger.info("as given: %s", given)


def as_lines(decisions: Sequence[Decision]) -> str:
    """All decisions as text."""
    return "\n".join(f"{item.parameter} = {item.value}: {item.reason}" for item in decisions)


def plain(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """What ``auto_configuration.json`` holds."""
    return [decision.as_json() for decision in decisions]


def decisions_of(run: RunFolder) -> tuple[Decision, ...]:
    """The decisions a run began with; none where its folder no longer tells."""
    try:
        return tuple(Decision(**item) for item in json.loads(run.decisions.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ()
