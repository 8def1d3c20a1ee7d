"""`auto_adapt_batch_size=Full`: a training's plan with the largest batch that the machine's memory holds."""

from __future__ import annotations

import math
from dataclasses import replace

from accelerate.utils import gather_object

from otx_seg import algorithms
from otx_seg.configuration.facts import Decision, MachineFacts
from otx_seg.configuration.learning import BATCH_SIZE, estimate_largest_batch
from otx_seg.datasets import TrainingData
from otx_seg.template.search_space import LEARNING_RATE, limits
from otx_seg.training.largest_batch import find_largest_batch
from otx_seg.verbs.auto_configuration import step_cost
from otx_seg.verbs.plan import Plan
from otx_seg.verbs.start import new_network


def enlarge_batch(plan: Plan, data: TrainingData, label_weights: tuple[float, ...], machine: MachineFacts) -> Plan:
    """
    Args:
        plan: resolved; without `Full` it is returned as it is.
        label_weights: how much the pixels of each label count, see `algorithms.build`.

    Returns:
        The plan with the largest batch, and with a learning rate that grew with the square root of the batch, which
        keeps the size of Adam's steps relative to their noise (Malladi et al. 2022).
    """
    parameters = plan.template.hyper_parameters.learning_parameters
    if parameters.auto_adapt_batch_size != "Full":
        return plan
    before = parameters.batch_size
    most = min(int(limits(BATCH_SIZE)[1]), len(data.train) // machine.processes)
    how = "tried on the GPU" if machine.gpu else "estimated"
    size = max(before, min(most, _largest(plan, data, label_weights, machine, most)))
    rate = min(parameters.learning_rate * math.sqrt(size / before), limits(LEARNING_RATE)[1])
    rate = float(f"{rate:.3g}")
    made = (
        Decision(BATCH_SIZE, size, f"auto_adapt_batch_size=Full: at most {most} for {len(data.train)} images, {how}"),
        Decision(LEARNING_RATE, rate, f"that for batches of {before} times sqrt({size} / {before})"),
    )
    kept = tuple(item for item in plan.decisions if item.parameter not in (BATCH_SIZE, LEARNING_RATE))
    template = plan.template.override({BATCH_SIZE: size, LEARNING_RATE: rate})
    return replace(plan, template=template, decisions=(*kept, *made))


def _largest(plan: Plan, data: TrainingData, label_weights: tuple[float, ...], machine: MachineFacts, most: int) -> int:
    template = plan.template
    height, width = template.input_size
    estimated = estimate_largest_batch(machine, template.gigaflops, math.sqrt(height * width), step_cost(plan))
    if estimated is not None:
        return estimated
    if not machine.gpu:
        return 0  # nothing is known of the memory
    algorithm = algorithms.build(template, new_network(template, data), label_weights)
    # Each process has a GPU of its own; all have to make batches of one size.
    return min(gather_object([find_largest_batch(algorithm, data, template, most)]))
