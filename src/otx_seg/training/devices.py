"""What a training runs on: device, arithmetic, loader processes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn

from otx_seg.configuration import learning as configuration
from otx_seg.configuration.facts import MachineFacts
from otx_seg.datasets.loading.free_memory import allowed_memory
from otx_seg.errors import UsageError
from otx_seg.processes import world_size
from otx_seg.runtime.processors import processor_count
from otx_seg.template import Template
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.optimizer import GroupSettings, build_optimizer, parameter_groups
from otx_seg.words import count

if TYPE_CHECKING:
    from otx_seg.algorithms import Algorithm


def start_accelerator(precision: str, algorithm: Algorithm) -> Accelerator:
    """The device and the arithmetic of a training: all GPUs of a torchrun job, one GPU, or the CPU.

    Args:
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        algorithm: several processes have to know whether its steps may leave trained parameters without a gradient.

    Raises:
        UsageError: fp16 on a CPU, which would compute it slower than fp32 and lose small gradients.
    """
    chosen = choose_precision(precision)
    if chosen == "fp16" and not torch.cuda.is_available():
        raise UsageError("learning_parameters.precision=fp16 needs a GPU; use auto, fp32 or bf16")
    # It keeps the arithmetic of the first training of this process and refuses another one.
    AcceleratorState._reset_state(reset_partial_state=False)
    between_processes = DistributedDataParallelKwargs(find_unused_parameters=_leaves_idle(algorithm))
    return Accelerator(
        mixed_precision="no" if chosen == "fp32" else chosen, cpu=on_cpu(), kwargs_handlers=[between_processes]
    )


def _leaves_idle(algorithm: Algorithm) -> bool:
    """Whether its steps may leave trained parameters without a gradient, as far as somebody has to know."""
    if world_size() == 1:
        return False
    from otx_seg.models.fit import has_idle_parameters  # builds networks, which few users of this module need

    network: Any = algorithm.deployable()
    return algorithm.idle_parameters or has_idle_parameters(network)


def on_cpu() -> bool:
    """Whether there is nothing better than the CPU; accelerate takes several CPU processes for one unless told."""
    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def prepare_algorithm(
    algorithm: Any, template: Template, accelerator: Accelerator
) -> tuple[nn.Module, torch.optim.Optimizer, tuple[GroupSettings, ...]]:
    """Move an algorithm to its device and make its optimiser, both wrapped for several processes where there are; the
    third says how each group of the optimiser learns."""
    if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
        algorithm = nn.SyncBatchNorm.convert_sync_batchnorm(algorithm)
    algorithm.to(accelerator.device)
    groups = parameter_groups(algorithm, template)
    model, optimizer = accelerator.prepare(algorithm, build_optimizer(groups, template))
    return model, optimizer, tuple(groups)


def largest(accelerator: Accelerator, value: float) -> float:
    """The largest of the processes' values, so that all decide the same."""
    if accelerator.num_processes == 1:
        return value
    gathered: Tensor = accelerator.gather(torch.tensor([value], device=accelerator.device))
    return float(gathered.max())


def wait_for_all(accelerator: Accelerator) -> None:
    """Wait until all processes are here: one that ends closes the connections on which others may still wait."""
    with suppress(RuntimeError):  # another is gone already, and what it has to say it has said
        accelerator.wait_for_everyone()


def choose_precision(precision: str) -> str:
    """What ``auto`` means on this machine; any other value is returned as it is."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "fp32"


def choose_workers(parameters: LearningParameters, processes: int) -> int:
    """Loader processes of each of so many training processes on this machine."""
    if parameters.auto_num_workers or "num_workers" in parameters.left_open:
        number: int = configuration.choose_workers(machine_facts(processes, processes)).value
        return number
    return parameters.num_workers


def machine_facts(processes: int, world_size: int) -> MachineFacts:
    """What decisions about a training have to know of this machine; see `MachineFacts` for the arguments."""
    threads = torch.get_num_threads()
    return MachineFacts(processor_count(), threads, processes, world_size, not on_cpu(), allowed_memory())


def describe_device() -> str:
    """The device a training would use, for people."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {count(torch.get_num_threads(), 'thread')}"
