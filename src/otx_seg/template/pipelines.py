"""The augmentations a template uses where it names none of its own."""

from __future__ import annotations

from typing import Any

Pipeline = tuple[dict[str, Any], ...]
"""Classes of otx_seg.transforms with their arguments; sizes come from the run."""


def _view(scale_range: list[float], single_label_limit: float) -> dict[str, Any]:
    return {
        "type": "RandomView",
        "scale_range": scale_range,
        "single_label_limit": single_label_limit,
        "flip_probability": 0.5,
        "rotation_degrees": 10.0,
        "rotation_probability": 0.3,
    }


def _colours(kind: str, probability: float, contrast: list[float]) -> dict[str, Any]:
    return {
        "type": kind,
        "probability": probability,
        "brightness": 32.0,
        "contrast": contrast,
        "saturation": contrast,
        "hue": 18.0,
    }


def _grey(probability: float) -> dict[str, Any]:
    return {"type": "Grey", "probability": probability}


def _blur(probability: float) -> dict[str, Any]:
    return {"type": "Blur", "probability": probability, "sigma": [0.1, 2.0]}


TRAIN: Pipeline = (_view([0.5, 2.0], 0.75), _colours("MaskedPhotometric", 0.5, [0.5, 1.5]))

# Mean Teacher
WEAK: Pipeline = (_view([0.5, 2.0], 1.0),)
STRONG: Pipeline = (
    _colours("Photometric", 0.5, [0.5, 1.5]),
    _grey(0.1),
    {"type": "CutOut", "probability": 0.1, "holes": [1, 3], "side": [0.2, 0.4]},
)

# Contrasts: supervised training's second view, and the two views of self-supervised training
_DISTORTED = (_colours("Photometric", 0.8, [0.6, 1.4]), _grey(0.2))
SECOND: Pipeline = (*WEAK, *_DISTORTED, _blur(0.1))
FIRST_CROP: Pipeline = (_view([1.0, 3.5], 1.0), *_DISTORTED, _blur(1.0))
SECOND_CROP: Pipeline = (
    _view([1.0, 3.5], 1.0),
    *_DISTORTED,
    _blur(0.1),
    {"type": "Solarize", "probability": 0.2, "threshold": 128},
)
