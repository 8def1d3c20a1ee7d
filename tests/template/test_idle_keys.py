"""Keys that mmseg knows and nothing here looks at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otx_seg import template
from otx_seg.errors import UsageError

HEAD = {"type": "FCNHead", "in_channels": 40, "channels": 8, "num_classes": 2}


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """A template file with one key of `model` replaced."""

    def write(dotted: str, value: Any) -> Path:
        content = template.load("Lite-HRNet-s-mod2").as_dict()
        *sections, key = dotted.split(".")
        place = content["model"]
        for section in sections:
            place = place[section]
        place[key] = value
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
        return tmp_path / "mine.yaml"

    return write


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auxiliary_head", {**HEAD, "loss_decode": {"type": "CrossEntropyLoss"}}),
        ("auxiliary_head", [HEAD, {**HEAD, "ignore_index": 0}]),
        ("neck", {"type": "FPN"}),
        ("train_cfg", {"sampler": 1}),
        ("test_cfg", {"mode": "slide", "crop_size": [64, 64], "stride": [32, 32]}),
        ("data_preprocessor.bgr_to_rgb", True),
        ("data_preprocessor.rgb_to_bgr", True),
        ("data_preprocessor.size", [512, 512]),
        ("data_preprocessor.size_divisor", 32),
        ("data_preprocessor.pad_val", 3),
        ("data_preprocessor.batch_augments", [{"type": "x"}]),
        ("decode_head.loss_decode", {"type": "CrossEntropyLoss", "loss_weight": 3.0}),
        ("decode_head.ignore_index", 0),
        ("decode_head.sampler", {"type": "OHEMPixelSampler"}),
        ("decode_head.threshold", 0.3),
        ("decode_head.out_channels", 1),
    ],
)
def test_what_would_do_nothing_is_refused(written: Any, key: str, value: Any) -> None:
    path = written(key, value)
    with pytest.raises(
        UsageError, match=rf"mine\.yaml: model\.{key}.*: .* would have no effect: .*; remove it"
    ) as caught:
        template.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auxiliary_head", None),
        ("neck", None),
        ("train_cfg", {}),
        ("test_cfg", {"mode": "whole"}),
        ("data_preprocessor.pad_val", 0),
        ("data_preprocessor.seg_pad_val", 255),
        ("data_preprocessor.bgr_to_rgb", False),
        ("decode_head.ignore_index", 255),
    ],
)
def test_what_asks_for_what_happens_anyway_is_taken(written: Any, key: str, value: Any) -> None:
    assert template.load(written(key, value)).name == "Lite-HRNet-s-mod2"


@pytest.mark.parametrize("key", ["auxiliary_heads", "decode_heads", "preprocessor"])
def test_what_nobody_knows_is_refused_when_it_is_built(written: Any, key: str) -> None:
    from otx_seg.models.build import build_model

    with pytest.raises(UsageError, match=f"model cannot be built: .*{key}"):
        build_model(template.load(written(key, {})), 2)
