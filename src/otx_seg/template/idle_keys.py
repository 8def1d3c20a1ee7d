"""Keys of mmseg's EncoderDecoder that this toolkit has no use for: refused, unless they ask for what happens anyway."""

from __future__ import annotations

from typing import Any

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import shown

_NO_MODE: tuple[Any, ...] = (None, {}, {"mode": "whole"})
_PREPROCESSOR, _HEAD = "data_preprocessor", "decode_head"

_ALLOWED: dict[str, tuple[tuple[Any, ...], str]] = {
    "auxiliary_head": ((None, []), "networks have one output here"),
    "neck": ((None,), "the decode head takes what the backbone gives"),
    "train_cfg": ((None, {}), "how to train is said by hyper_parameters"),
    "test_cfg": (_NO_MODE, "images are looked at as a whole, or with --sliding-window"),
    f"{_PREPROCESSOR}.bgr_to_rgb": ((False,), "images are RGB here, and the network gets them so"),
    f"{_PREPROCESSOR}.rgb_to_bgr": ((False,), "images are RGB here, and the network gets them so"),
    f"{_PREPROCESSOR}.size": ((None,), "learning_parameters.input_size says the size of the input"),
    f"{_PREPROCESSOR}.size_divisor": ((None,), "learning_parameters.input_size says the size of the input"),
    f"{_PREPROCESSOR}.pad_val": ((0,), "images are resized here, not padded"),
    f"{_PREPROCESSOR}.seg_pad_val": ((255,), "images are resized here, not padded"),
    f"{_PREPROCESSOR}.batch_augments": ((None,), "train_pipeline says how images are changed"),
    f"{_PREPROCESSOR}.test_cfg": ((None, {}), "images are resized here, not padded"),
    f"{_HEAD}.loss_decode": ((), "the key losses of the template, or learning_parameters.loss, says what is minimised"),
    f"{_HEAD}.ignore_index": ((255,), "pixels without a label are 255 here"),
    f"{_HEAD}.sampler": ((None,), "the losses look at all pixels that have a label"),
    f"{_HEAD}.threshold": ((None,), "postprocessing.soft_threshold says how probabilities become a mask"),
    f"{_HEAD}.out_channels": ((None,), "a network has one output for each label"),
}
"""By key of `model`: the values that change nothing, and why any other one would do nothing."""


def refuse_idle_keys(model: dict[str, Any], where: str) -> None:
    """
    Args:
        model: the `model:` part of a template.
        where: its origin, for messages.

    Raises:
        UsageError: a key that asks for something that would not be done.
    """
    for dotted, (allowed, reason) in _ALLOWED.items():
        section, _, key = dotted.rpartition(".")
        held = model.get(section) if section else model
        if isinstance(held, dict) and key in held and not any(_same(held[key], value) for value in allowed):
            raise UsageError(f"{where}: model.{dotted}: {shown(held[key])} would do nothing: {reason}; take it out")


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)
