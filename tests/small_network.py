"""A Lite-HRNet with one block in each stage: all that the large ones have, once."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path

from otx_seg.template import Template, load


def small_template() -> Template:
    """For images of 64 x 64 pixels."""
    chosen = load("Lite-HRNet-s-mod2").override({"learning_parameters.input_size": "64x64"})
    backbone = chosen.model["backbone"]
    stages = [{**stage, "modules": 1, "blocks": 1} for stage in backbone["stages"]]
    return chosen.model_copy(update={"model": {**chosen.model, "backbone": {**backbone, "stages": stages}}})


@cache
def small_file() -> Path:
    """`small_template` as a file, for commands and other processes, until this process ends."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name, "small.yaml")
    path.write_text(small_template().as_yaml())
    return path


def with_further_outputs() -> Template:
    """`small_template` as a cascade of two heads with an auxiliary one."""
    chosen = small_template()
    plain = {"type": "FCNHead", "in_channels": 60, "in_index": 0, "channels": 8, "num_convs": 1, "num_classes": 2}
    model = {**chosen.model, "type": "CascadeEncoderDecoder", "num_stages": 2}
    merged = {"in_channels": [60, 120], "in_index": [0, 1], "input_transform": "resize_concat", "channels": 8}
    model["decode_head"] = [plain, {"type": "OCRHead", **merged, "ocr_channels": 4, "num_classes": 2}]
    model["auxiliary_head"] = {**plain, "in_index": 1, "in_channels": 120}
    losses = {
        "decode_0": ({"type": "CrossEntropy", "weight": 0.4},),
        "aux_0": ({"type": "CrossEntropy", "weight": 0.3}, {"type": "Dice", "weight": 0.2}),
    }
    return chosen.model_copy(update={"model": model, "losses": losses})
