"""How large a batch the memory of the machine holds."""

from __future__ import annotations

from accelerate.utils import gather_object

from otx_seg import algorithms
from otx_seg.configuration.facts import MachineFacts
from otx_seg.configuration.learning import estimate_largest_batch
from otx_seg.datasets import TrainingData
from otx_seg.template import Template
from otx_seg.training.largest_batch import find_largest_batch
from otx_seg.training.setup.build import new_network


def find_batch(template: Template, data: TrainingData, machine: MachineFacts, work: float, most: int) -> int:
    """The largest batch that fits: estimated, or tried on the GPU.

    Args:
        work: see `DataFacts`.
        most: images that are tried at most.

    Returns:
        images per step and process, the same for all processes; 0 where nothing is known of the memory.
    """
    estimated = estimate_largest_batch(machine, template.gigaflops, template.input_side, work)
    if estimated is not None:
        return estimated
    if not machine.gpu:
        return 0
    # What the labels weigh takes no memory.
    algorithm = algorithms.build(template, new_network(template, data), (1.0,) * len(data.train.labels))
    # Each process has a GPU of its own; all have to make batches of one size.
    return min(gather_object([find_largest_batch(algorithm, data, template, most)]))
