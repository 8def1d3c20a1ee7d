"""How many images a training step can take at once, found out by taking them."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from otx_seg.algorithms import Algorithm, TrainProgress
from otx_seg.datasets import TrainingData
from otx_seg.processes import processes_here
from otx_seg.template import Template
from otx_seg.training.devices import choose_workers, start_accelerator
from otx_seg.training.optimizer import build_optimizer, parameter_groups
from otx_seg.training.out_of_memory import is_out_of_memory
from otx_seg.training.views import open_views

logger = logging.getLogger(__name__)

_MOST_MEMORY = 0.9  # share of the GPU's that a step may reserve; validation and fragmentation need some as well
_LATE = 1_000_000  # a step and an epoch at which everything that an algorithm switches on in time is on


def find_largest_batch(algorithm: Algorithm, data: TrainingData, template: Template, most: int) -> int:
    """Double the template's batch size for as long as a whole training step fits into the memory of the device.

    Args:
        algorithm: an ``nn.Module`` that is not needed afterwards: it is moved and trained.
        most: images per step that are tried at most.

    Returns:
        the largest size that fitted; the template's own if no larger one did, whether or not that one fits.

    Raises:
        DataError: an image or a mask cannot be read.
    """
    parameters = template.hyper_parameters.learning_parameters
    accelerator = start_accelerator(parameters.precision, algorithm)
    module: torch.nn.Module = algorithm  # type: ignore[assignment]
    module.to(accelerator.device).train()
    optimizer = build_optimizer(parameter_groups(module, template), template)
    fitting = size = parameters.batch_size
    workers = choose_workers(parameters, processes_here())
    while (size := min(2 * fitting, most)) > fitting:
        try:
            with open_views(algorithm.views, data, template, size, workers, seed=0, rank=0, world_size=1) as loader:
                batch = next(iter(loader))
            for view in batch.values():
                view.update({k: v.to(accelerator.device) for k, v in view.items() if isinstance(v, Tensor)})
            with accelerator.autocast():
                losses = module(batch, TrainProgress(_LATE, _LATE, 1.0))
            losses["loss"].backward()
            optimizer.step()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            break
        finally:
            batch = losses = {}
            optimizer.zero_grad(set_to_none=True)
        share = _reserved_share(accelerator.device)
        logger.debug("batches of %d images take %.0f %% of the memory", size, 100 * share)
        if share > _MOST_MEMORY:
            break
        fitting = size
    if accelerator.device.type == "cuda":
        torch.cuda.empty_cache()
    return fitting


def _reserved_share(device: torch.device) -> float:
    """Share of a GPU's memory that this process has had at most; 0 without a GPU."""
    if device.type != "cuda":
        return 0.0
    return torch.cuda.max_memory_reserved(device) / torch.cuda.get_device_properties(device).total_memory
