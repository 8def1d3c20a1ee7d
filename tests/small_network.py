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


def at_several_scales() -> Template:
    """`small_template` with hierarchical multi-scale attention."""
    chosen = small_template()
    merged = {"in_channels": [60, 120, 240], "in_index": [0, 1, 2], "input_transform": "resize_concat"}
    common = {**merged, "num_classes": 2, "channels": 8, "norm_cfg": {"type": "BN"}, "align_corners": True}
    heads = [
        {"type": "FCNHead", **common, "num_convs": 1},
        {"type": "ScaleAttentionOCRHead", **common, "ocr_channels": 4, "attention_channels": 6},
    ]
    scales = {"train_scales": [0.5, 1.0], "test_scales": [0.5, 1.0]}
    model = {**chosen.model, "type": "MultiScaleAttention", "num_stages": 2, **scales, "decode_head": heads}
    losses = {
        name: ({"type": "CrossEntropy", "weight": weight},)
        for name, weight in (("decode_0", 0.4), ("scale_0", 0.05), ("scale_1", 0.05))
    }
    return chosen.model_copy(update={"name": "small-scales", "model": model, "losses": losses})
