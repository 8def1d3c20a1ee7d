"""Keys of mmseg's EncoderDecoder that have no effect here: refused, unless they set the only possible value."""

from __future__ import annotations

from typing import Any

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import shown
from otx_seg.template.extending import Origin
from otx_seg.template.heads import heads_of

_NO_MODE: tuple[Any, ...] = (None, {}, {"mode": "whole"})

_Rules = dict[str, tuple[tuple[Any, ...], str]]
"""By key: the values that change nothing, and why any other one would do nothing."""

_ALLOWED: _Rules = {
    "neck": ((None,), "the decode head takes the output of the backbone"),
    "train_cfg": ((None, {}), "hyper_parameters control the training"),
    "test_cfg": (_NO_MODE, "inference uses whole images, or --sliding-window"),
}
_PREPROCESSING: _Rules = {
    "bgr_to_rgb": ((False,), "images are RGB here, and the network gets them so"),
    "rgb_to_bgr": ((False,), "images are RGB here, and the network gets them so"),
    "size": ((None,), "learning_parameters.input_size says the size of the input"),
    "size_divisor": ((None,), "learning_parameters.input_size says the size of the input"),
    "pad_val": ((0,), "images are resized here, not padded"),
    "seg_pad_val": ((255,), "images are resized here, not padded"),
    "batch_augments": ((None,), "train_pipeline augments images"),
    "test_cfg": ((None, {}), "images are resized here, not padded"),
}
_IN_HEADS: _Rules = {
    "loss_decode": ((), "the key losses of the template, or learning_parameters.loss, sets the loss"),
    "ignore_index": ((255,), "ignored pixels are 255 here"),
    "sampler": ((None,), "the losses use all labelled pixels"),
    "threshold": ((None,), "learning_parameters.binary_threshold or postprocessing.soft_threshold sets the threshold"),
    "out_channels": ((None,), "a head has num_classes outputs; learning_parameters.binary gives two labels one"),
}


def refuse_idle_keys(model: dict[str, Any], origin: Origin) -> None:
    """
    Args:
        model: the `model:` part of a template.
        origin: where its values stand, for messages.

    Raises:
        UsageError: a key that asks for something that would not be done.
    """
    sections: list[tuple[str, Any, _Rules]] = [
        ("model", model, _ALLOWED),
        ("model.data_preprocessor", model.get("data_preprocessor"), _PREPROCESSING),
    ]
    sections += [(f"model.{head.key}", head.config, _IN_HEADS) for head in heads_of(model)]
    for section, held, rules in sections:
        for key, (allowed, reason) in rules.items() if isinstance(held, dict) else ():
            if key in held and not any(_same(held[key], value) for value in allowed):
                where = f"{origin.of(f'{section}.{key}')}: {section}.{key}"
                raise UsageError(f"{where}: {shown(held[key])} would have no effect: {reason}; remove it")


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)
