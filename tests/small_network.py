"""A Lite-HRNet with one block in each stage: all that the large ones have, once."""

from __future__ import annotations

from otx_seg.template import Template, load


def small_template() -> Template:
    """For images of 64 x 64 pixels."""
    chosen = load("Lite-HRNet-s-mod2").override({"learning_parameters.input_size": "64x64"})
    backbone = chosen.model["backbone"]
    stages = [{**stage, "modules": 1, "blocks": 1} for stage in backbone["stages"]]
    return chosen.model_copy(update={"model": {**chosen.model, "backbone": {**backbone, "stages": stages}}})
