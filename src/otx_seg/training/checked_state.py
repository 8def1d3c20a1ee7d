"""Whether a training can be resumed from a checkpoint: its plain values, and whether they fit the training."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.metrics.confusion import counts_by_label
from otx_seg.runtime.model_info import check_version
from otx_seg.runtime.plain_files import number, shown, whole_number
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.state import VERSION, TrainState
from otx_seg.workspace.tensor_file import unlike

_MAPPINGS = ("algorithm", "optimizer", "template", "learning_rate", "early_stopping", "position", "random")
_MANY, _LONG_S, _WORD = 10**12, 1e9, 2**32 - 1
_LONGEST_REASON = 1000  # characters
_WHOLE = {
    **dict.fromkeys(("epoch", "batch", "step", "validated_epoch", "best_epoch"), (0, _MANY)),
    "validated_step": (-1, _MANY),
    "batch_size": (1, 512),
    "stalled": (0, _MANY),
    "best_step": (0, _MANY),
    "schedule_epoch": (-1, _MANY),
}
"""Integers, by name: the smallest and the largest."""

_NUMBERS: dict[str, tuple[float, float]] = {
    "elapsed_s": (0, _LONG_S),
    "validation_s": (0, _LONG_S),
    "best_score": (-1, 1),
    "smoothed": (-1, 1),
    "plateau_scale": (0, 1),
    "epoch_progress": (0, 1),
    "goal": (-1, 1),
}
"""The same of other numbers."""

_LATER = {"smoothed", "schedule_epoch", "epoch_progress"}
"""State of learning rate or early stopping that earlier versions did not keep."""


def unusable(path: Path, reason: str) -> UsageError:
    """What to say of a checkpoint that is damaged, or of another training."""
    return UsageError(
        f"{path}: cannot be resumed from: {reason}; start a new run with --load-weights and the models/weights.pth of "
        "this one"
    )


def check_state(state: dict[str, Any], path: Path) -> None:
    """
    Args:
        state: what `Trainer.state_dict` returned, or what stands in a file instead.
        path: the file.

    Raises:
        UsageError: a newer version of this program wrote it.
        ValueError: a part of it is missing, or is something that no training has.
    """
    missing = next((name for name in (*_MAPPINGS, "best_confusion") if name not in state), None)
    if missing is not None:
        raise ValueError(f"it has no {missing!r}")
    odd = next((name for name in _MAPPINGS if not isinstance(state[name], dict)), None)
    if odd is not None:
        raise ValueError(f"{odd} is {shown(state[odd])}, not a mapping")
    check_version(state.get("version", VERSION), VERSION, path)
    if not isinstance(state.get("origin"), str):
        raise ValueError(f"origin is {shown(state.get('origin'))}, not text")
    if not isinstance(state.get("choice", ""), str) or len(state.get("choice", "")) > _LONGEST_REASON:
        raise ValueError(f"choice is {shown(state['choice'])}, not text of a line or two")
    whole_number(state.get("processes", 1), 1, 1_000_000, "processes")
    if not isinstance(state.get("finished", True), bool):
        raise ValueError(f"finished is {shown(state['finished'])}, not true or false")
    if not isinstance(state.get("averaged", []), list):
        raise ValueError(f"averaged is {shown(state['averaged'])}, not epochs")
    for epoch in state.get("averaged", []):
        whole_number(epoch, 0, _MANY, "averaged")
    _check_position(state["position"])
    for name in ("learning_rate", "early_stopping"):
        _check_numbers(state[name], name)
    check_random_state(state["random"])


def _check_position(position: dict[str, Any]) -> None:
    known = [field.name for field in fields(TrainState)]
    if set(position) != set(known):
        raise ValueError(f"position is {shown(position)}, not {', '.join(known)}")
    if not isinstance(position["ended"], str) or len(position["ended"]) > _LONGEST_REASON:
        raise ValueError(f"position.ended is {shown(position['ended'])}, not text of a line or two")
    _check_numbers({name: value for name, value in position.items() if name != "ended"}, "position")
    # The best network may be of the epoch that has only begun.
    for name, limit, more in (
        ("validated_epoch", "epoch", 0),
        ("best_epoch", "epoch", 1),
        ("validated_step", "step", 0),
    ):
        if position[name] > position[limit] + more:
            raise ValueError(f"position.{name} is {position[name]}, but {limit} {position[limit]}")


def _check_numbers(values: dict[str, Any], where: str) -> None:
    for name, value in values.items():
        what = f"{where}.{shown(name)[1:-1]}"
        if isinstance(value, str):  # which the readers of files would take for a number
            raise ValueError(f"{what} is {shown(value)}, not a number")
        if name in _WHOLE:
            whole_number(value, *_WHOLE[name], what)
        elif not (name in ("best_score", "smoothed") and value == -math.inf):  # before the first score
            number(value, *_NUMBERS.get(name, (-_MANY, _MANY)), what)


def check_random_state(state: dict[str, Any]) -> None:
    """
    Raises:
        ValueError: it is not what `random_state` gives.
    """
    try:
        version, values, _ = state["python"]
        whole_number(version, 3, 3, "random.python.version")
        _check_words(values, 624 + 1, "random.python")
        algorithm, keys, position, _, cached = state["numpy"]
        if algorithm != "MT19937":
            raise ValueError(f"random.numpy is of {shown(algorithm)}, not of MT19937")
        _check_words(keys.tolist(), 624, "random.numpy")
        whole_number(position, 0, 624, "random.numpy.position")
        number(cached, -_MANY, _MANY, "random.numpy.cached")
        generators = [state["torch"], *state["cuda"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"random is no state of random generators ({error})") from error
    if not all(isinstance(one, Tensor) and one.dtype == torch.uint8 and one.ndim == 1 for one in generators):
        raise ValueError("random.torch or random.cuda is no state of a random generator")
    if len(state["torch"]) != len(torch.get_rng_state()):
        raise ValueError(f"random.torch has {len(state['torch'])} bytes, not {len(torch.get_rng_state())}")


def _check_words(values: Any, length: int, what: str) -> None:
    if not isinstance(values, (list, tuple)) or len(values) != length:
        raise ValueError(f"{what} is {shown(values)}, not {length} numbers")
    for value in values:
        whole_number(value, 0, _WORD, what)


def check_fit(
    state: dict[str, Any], parts: dict[str, Any], parameters: LearningParameters, images: int, classes: int
) -> None:
    """
    Args:
        state: one that `check_state` lets through.
        parts: everything of the training that has a state of its own, by its name in `state`.
        images: of an epoch, counted in whole batches.
        classes: number of labels.

    Raises:
        ValueError: it is the state of another training.
    """
    at = state["position"]
    if at["epoch"] > parameters.num_iters:
        raise ValueError(f"position.epoch is {at['epoch']}, but the run has {parameters.num_iters} epochs")
    if at["batch_size"] > parameters.batch_size:
        raise ValueError(f"position.batch_size is {at['batch_size']}, above {parameters.batch_size}")
    if at["batch"] > math.ceil(images / at["batch_size"]):
        raise ValueError(f"position.batch is {at['batch']}, beyond the end of an epoch")
    confusion = state["best_confusion"]
    if confusion is not None and not (
        isinstance(confusion, Tensor)
        and confusion.dtype == torch.int64
        and confusion.shape == (classes, classes)
        and bool((confusion >= 0).all())
        and confusion.double().sum() < 2**53
    ):
        raise ValueError(f"best_confusion is {shown(confusion)}, not counts of pixels for {classes} labels")
    _check_per_image(state.get("best_per_image"), confusion)
    for name in ("learning_rate", "early_stopping"):
        own = parts[name].state_dict()
        if set(state[name]) | (_LATER & set(own)) != set(own):
            raise ValueError(f"{name} has {shown(list(state[name]))}, not {', '.join(own)}")
    for name in ("algorithm", "average"):
        if name in parts:
            _check_network(state, name, parts[name])
    check_optimizer(state["optimizer"], parts["optimizer"], at["step"])


def _check_per_image(counts: Any, confusion: Tensor | None) -> None:
    """Counts of each image: those that the confusion matrix sums up. An earlier version had none."""
    if counts is None or confusion is None:
        return
    shape = (len(confusion), 3)
    if not (isinstance(counts, Tensor) and counts.dtype == torch.int64 and counts.shape[1:] == shape):
        raise ValueError(f"best_per_image is {shown(counts)}, not counts of pixels of each image")
    if len(counts) and not torch.equal(counts.sum(dim=0), counts_by_label(confusion)):
        raise ValueError("best_per_image is not what best_confusion sums up")


def _check_network(state: dict[str, Any], name: str, network: nn.Module) -> None:
    found = state.get(name)
    if not isinstance(found, dict):
        raise ValueError(f"{name} is {shown(found)}, not a mapping")
    odd = next(unlike(found, network.state_dict()), None)
    if odd is not None:
        raise ValueError(f"{name}.{odd} does not fit the network")


def check_optimizer(saved: Any, optimizer: Any, steps: int) -> None:
    """Torch checks neither the shapes of a loaded optimizer state nor its numbers.

    Args:
        saved: what is to be loaded.
        steps: how many of them it has made.

    Raises:
        ValueError: it is not the state of this optimiser.
    """
    own = optimizer.state_dict()
    if not isinstance(saved, dict) or set(saved) != set(own) or not isinstance(saved["state"], dict):
        raise ValueError(f"optimizer is {shown(saved)}, not the state of one")
    groups = saved["param_groups"]
    if not isinstance(groups, list) or [_settings(group) for group in groups] != list(
        map(_settings, own["param_groups"])
    ):
        raise ValueError("optimizer.param_groups are not those of the template's optimizer")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = _kept(optimizer)
    if steps and any(kept) and not saved["state"]:
        raise ValueError(f"optimizer.state is empty after {steps} steps")
    for index, held in saved["state"].items():
        if not isinstance(index, int) or not 0 <= index < len(parameters) or not isinstance(held, dict):
            raise ValueError(f"optimizer.state holds {shown(index)}, which is not a parameter")
        if set(held) != set(kept[index]):
            raise ValueError(f"optimizer.state.{index} has {shown(list(held))}, not {', '.join(sorted(kept[index]))}")
        for name, value in held.items():
            if not _is_like(kept[index][name], value, parameters[index]):
                raise ValueError(f"optimizer.state.{index}.{name} does not fit its parameter")
            if (name == "step" or "sq" in name) and bool((value < 0).any()):  # sums of squares
                raise ValueError(f"optimizer.state.{index}.{name} is negative")


def _is_like(kept: Any, value: Any, parameter: Tensor) -> bool:
    """Whether a value is to `parameter` what `kept` is to one with sides of 2."""
    if not isinstance(kept, Tensor) or not isinstance(value, Tensor) or value.ndim != kept.ndim:
        return type(value) is type(kept) and not isinstance(kept, Tensor)
    expected = (side if own == 2 else own for own, side in zip(kept.shape, parameter.shape, strict=False))
    return value.shape == tuple(expected)


def _kept(optimizer: Any) -> list[dict[str, Any]]:
    """The optimiser's state of each parameter after a step, from parameters with as many sides, of 2 each."""
    tiny = [
        {**group, "params": [torch.zeros((2,) * parameter.ndim, requires_grad=True) for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    kind = type(getattr(optimizer, "optimizer", optimizer))  # accelerate wraps them
    stand_in = kind(tiny)
    parameters = [parameter for group in tiny for parameter in group["params"]]
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    stand_in.step()
    return [stand_in.state.get(parameter, {}) for parameter in parameters]


def _settings(group: Any) -> Any:
    """The settings of a parameter group, without the learning rate, which changes at each step."""
    return {key: value for key, value in group.items() if key != "lr"} if isinstance(group, dict) else None
