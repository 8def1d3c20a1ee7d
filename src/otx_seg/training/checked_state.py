"""Whether what a checkpoint holds can be gone on from: its plain values, and whether they fit a training."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.runtime.graph_shape import first_line
from otx_seg.runtime.model_values import check_version
from otx_seg.runtime.plain_files import number, shown, whole_number
from otx_seg.training.state import VERSION, Position, restore_state

if TYPE_CHECKING:
    from otx_seg.training.loop import Training

_MAPPINGS = ("algorithm", "optimizer", "template", "learning_rate", "early_stopping", "position", "random")
_MANY, _LONG_S, _WORD = 10**12, 1e9, 2**32 - 1
_WHOLE = {
    **dict.fromkeys(("epoch", "batch", "step", "validated_epoch", "best_epoch"), (0, _MANY)),
    "validated_step": (-1, _MANY),
    "batch_size": (1, 512),
    "stalled": (0, _MANY),
    "best_step": (0, _MANY),
}
"""Whole numbers, by name: the smallest and the largest."""

_NUMBERS: dict[str, tuple[float, float]] = {
    "elapsed_s": (0, _LONG_S),
    "validation_s": (0, _LONG_S),
    "best_score": (-1, 1),
    "plateau_scale": (0, 1),
    "goal": (-1, 1),
}
"""The same of other numbers."""

_SMALLER = "_var"
"""Ends the names of what Adafactor keeps, of a shape of its own, for each parameter."""


def unusable(path: Path, reason: str) -> UsageError:
    """What to say of a checkpoint that is damaged, or of another training."""
    return UsageError(
        f"{path}: cannot be gone on from: {reason}; start a new run with --load-weights and the models/weights.pth of "
        "this one"
    )


def check_state(state: dict[str, Any]) -> None:
    """
    Args:
        state: what `collect_state` returned, or what stands in a file instead.

    Raises:
        ValueError: a part of it is missing, or is something that no training has.
    """
    missing = next((name for name in (*_MAPPINGS, "best_confusion") if name not in state), None)
    if missing is not None:
        raise ValueError(f"it has no {missing!r}")
    odd = next((name for name in _MAPPINGS if not isinstance(state[name], dict)), None)
    if odd is not None:
        raise ValueError(f"{odd} is {shown(state[odd])}, no mapping")
    check_version(state.get("version", VERSION), VERSION)
    if not isinstance(state.get("origin"), str):
        raise ValueError(f"origin is {shown(state.get('origin'))}, no text")
    whole_number(state.get("processes", 1), 1, 1_000_000, "processes")
    _check_position(state["position"])
    for name in ("learning_rate", "early_stopping"):
        _check_numbers(state[name], name)
    check_random_state(state["random"])


def _check_position(position: dict[str, Any]) -> None:
    known = [field.name for field in fields(Position)]
    if set(position) != set(known):
        raise ValueError(f"position is {shown(position)}, not {', '.join(known)}")
    if not isinstance(position["ended"], str):
        raise ValueError(f"position.ended is {shown(position['ended'])}, no text")
    _check_numbers({name: value for name, value in position.items() if name != "ended"}, "position")
    for name, limit in (("validated_epoch", "epoch"), ("best_epoch", "epoch"), ("validated_step", "step")):
        if position[name] > position[limit]:
            raise ValueError(f"position.{name} is {position[name]}, but {limit} {position[limit]}")


def _check_numbers(values: dict[str, Any], where: str) -> None:
    for name, value in values.items():
        what = f"{where}.{shown(name)[1:-1]}"
        if isinstance(value, str):  # which the readers of files would take for a number
            raise ValueError(f"{what} is {shown(value)}, not a number")
        if name in _WHOLE:
            whole_number(value, *_WHOLE[name], what)
        elif not (name == "best_score" and value == -math.inf):  # before the first score
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


def go_on_from(training: Training, state: dict[str, Any]) -> None:
    """Put a state that `check_state` lets through into a training that has made no step yet.

    Raises:
        UsageError: it is that of another training.
    """
    try:
        _check_fit(training, state)
        restore_state(training, state)
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise unusable(training.run.checkpoint, first_line(error)) from error


def _check_fit(training: Training, state: dict[str, Any]) -> None:
    at = state["position"]
    if at["epoch"] > training.parameters.num_iters:
        raise ValueError(f"position.epoch is {at['epoch']}, but the run has {training.parameters.num_iters} epochs")
    if at["batch_size"] > training.parameters.batch_size:
        raise ValueError(f"position.batch_size is {at['batch_size']}, above {training.parameters.batch_size}")
    images = len(training.loader) * training.parameters.batch_size
    if at["batch"] > math.ceil(images / at["batch_size"]):
        raise ValueError(f"position.batch is {at['batch']}, beyond the end of an epoch")
    confusion, classes = state["best_confusion"], len(training.data.train.labels)
    if confusion is not None and not (
        isinstance(confusion, Tensor)
        and confusion.dtype == torch.int64
        and confusion.shape == (classes, classes)
        and bool((confusion >= 0).all())
    ):
        raise ValueError(f"best_confusion is {shown(confusion)}, not counts of pixels for {classes} labels")
    for name, own in (
        ("learning_rate", training.learning_rate.state_dict()),
        ("early_stopping", training.selection.stopping.state_dict()),
    ):
        if set(state[name]) != set(own):
            raise ValueError(f"{name} has {shown(list(state[name]))}, not {', '.join(own)}")
    _check_optimizer(state["optimizer"], training.optimizer)


def _check_optimizer(saved: Any, optimizer: Any) -> None:
    """Torch looks at neither the shapes of what it loads nor at the numbers it goes on with."""
    own = optimizer.state_dict()
    if not isinstance(saved, dict) or set(saved) != set(own) or not isinstance(saved["state"], dict):
        raise ValueError(f"optimizer is {shown(saved)}, not the state of one")
    groups = saved["param_groups"]
    if not isinstance(groups, list) or [_settings(group) for group in groups] != list(
        map(_settings, own["param_groups"])
    ):
        raise ValueError("optimizer.param_groups are not those of the template's optimizer")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = saved["state"].values()
    names = set(kept and next(iter(kept)))
    for index, held in saved["state"].items():
        if not isinstance(index, int) or not 0 <= index < len(parameters) or not isinstance(held, dict):
            raise ValueError(f"optimizer.state holds {shown(index)}, which is no parameter")
        if set(held) != names:
            raise ValueError(f"optimizer.state.{index} has {shown(sorted(held))}, others have {shown(sorted(names))}")
        for name, value in held.items():
            if value is None or str(name).endswith(_SMALLER):
                continue
            if not isinstance(value, Tensor) or (value.ndim and value.shape != parameters[index].shape):
                raise ValueError(f"optimizer.state.{index}.{name} does not fit its parameter")
            if name == "step" and value.ndim == 0 and value < 0:
                raise ValueError(f"optimizer.state.{index}.step is negative")


def _settings(group: Any) -> Any:
    """What a group of parameters is trained with, but for the rate, which is set anew at each step."""
    return {key: value for key, value in group.items() if key != "lr"} if isinstance(group, dict) else None
