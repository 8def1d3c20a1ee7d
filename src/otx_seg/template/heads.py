"""The heads in the `model:` part of a template, in mmseg's vocabulary, and what their outputs are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from otx_seg.errors import UsageError
from otx_seg.template.extending import Origin
from otx_seg.template.scales import TRAIN_SCALES, scale_outputs

MAIN = "main"
"""The output that is evaluated and deployed: that of `decode_head`, or of the last one of a list."""

_DECODE, _AUXILIARY = "decode_head", "auxiliary_head"
_STAGE, _FURTHER = "decode_", "aux_"
_Item = TypeVar("_Item")


class Head(NamedTuple):
    """One head.

    Attributes:
        output: `MAIN`; ``decode_0``, ``decode_1``, ... for the earlier stages of a cascade, whose outputs the later
            ones start from; ``aux_0``, ``aux_1``, ... for auxiliary heads.
        key: where it stands under `model`, such as ``decode_head`` or ``auxiliary_head.1``.
        config: what stands there, a mapping unless the template is wrong.
    """

    output: str
    key: str
    config: Any

    @property
    def is_deployed(self) -> bool:
        """Whether a deployed network needs it."""
        return not self.output.startswith(_FURTHER)


def heads_of(model: dict[str, Any]) -> tuple[Head, ...]:
    """The heads of a network, the main one first."""
    stages = _entries(_DECODE, model.get(_DECODE)) or [(_DECODE, None)]
    heads = by_output(stages, _entries(_AUXILIARY, model.get(_AUXILIARY)))
    return tuple(Head(output, *entry) for output, entry in heads.items())


def by_output(stages: Sequence[_Item], auxiliary: Sequence[_Item]) -> dict[str, _Item]:
    """What belongs to each head, in the order of the network's lists, by the name of the head's output; the main one's
    first."""
    *earlier, main = stages
    further = {f"{_STAGE}{index}": item for index, item in enumerate(earlier)}
    return {MAIN: main, **further, **{f"{_FURTHER}{index}": item for index, item in enumerate(auxiliary)}}


def _entries(key: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [(f"{key}.{index}", item) for index, item in enumerate(value)]
    return [] if value is None else [(key, value)]


def main_head_of(model: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the head whose output is shipped."""
    config: dict[str, Any] = heads_of(model)[0].config
    return config


def heads_with_labels(model: dict[str, Any]) -> tuple[Head, ...]:
    """The heads that have an output for each label, whatever its number in a data set.

    Those are the shipped ones, and the auxiliary ones for which the template names as many classes as for the main one;
    other auxiliary heads learn something else.
    """
    heads = heads_of(model)
    classes = heads[0].config.get("num_classes")
    return tuple(head for head in heads if head.is_deployed or head.config.get("num_classes") == classes)


def with_heads(model: dict[str, Any], change: Callable[[Head], dict[str, Any]]) -> dict[str, Any]:
    """The model with each head's configuration replaced by what `change` makes of it."""
    changed = dict(model)
    for head in heads_of(model):
        section, _, index = head.key.partition(".")
        if index:
            changed[section] = [change(head) if str(at) == index else item for at, item in enumerate(changed[section])]
        else:
            changed[section] = change(head)
    return changed


def deployed_part(model: dict[str, Any]) -> dict[str, Any]:
    """The model without the heads that exist in training alone."""
    return {key: value for key, value in model.items() if key != _AUXILIARY}


def is_deployed(parameter: str) -> bool:
    """Whether a parameter of that name, as in a state dict, belongs to the part of a network that is shipped."""
    return not parameter.startswith(_AUXILIARY)


def refuse_unequal_outputs(model: dict[str, Any], losses: Iterable[str], origin: Origin) -> None:
    """
    Args:
        model: the `model:` part of a template.
        losses: names of the outputs that have losses.
        origin: where the values of the template stand, for messages.

    Raises:
        UsageError: an output without a loss, which would never learn, or a loss without an output.
    """
    keys = {head.output: head.key for head in heads_of(model)}
    keys |= {name: f"{TRAIN_SCALES}.{index}" for index, name in enumerate(scale_outputs(model.get(TRAIN_SCALES)))}
    named = list(losses)
    for name in (name for name in named if name not in keys):
        where = origin.of(f"losses.{name}")
        raise UsageError(f"{where}: losses.{name}: there is no such output; this network has {', '.join(keys)}")
    for name in (name for name in keys if name not in named):
        where, part = origin.of(f"model.{keys[name]}"), "scale" if keys[name].startswith(TRAIN_SCALES) else "head"
        raise UsageError(
            f"{where}: model.{keys[name]}: its output has no loss, so it would not be trained; add "
            f"losses.{name}, such as {{{name}: [{{type: CrossEntropy, weight: 0.4}}]}}, or remove the {part}"
        )
