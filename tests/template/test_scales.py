from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_network import at_several_scales

from otx_seg import template
from otx_seg.errors import UsageError
from otx_seg.template.scales import parse_scales, scale_outputs, with_test_scales


def test_scales_as_text() -> None:
    assert parse_scales("0.5,1, 2") == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("text", ["", "a", "0.5,,1", "1,1", "nan", "0", "-1", "8"])
def test_scales_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"scales: .*give different numbers, such as 0.5,1,2"):
        parse_scales(text)


def test_names_of_outputs() -> None:
    assert scale_outputs([0.5, 1.0, 2.0]) == ("scale_0", "scale_1", "scale_2")
    assert scale_outputs(None) == ()


def test_other_scales() -> None:
    model = at_several_scales().model
    assert with_test_scales(model, (1, 2), "here") == {**model, "test_scales": [1, 2]}
    with pytest.raises(UsageError, match=r"here: its network looks at an image at one scale"):
        with_test_scales({"type": "EncoderDecoder"}, (1, 2), "here")


def test_every_scale_has_a_loss(tmp_path: Path) -> None:
    content = at_several_scales().as_dict()
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    assert template.load(path) == at_several_scales()
    del content["losses"]["scale_1"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"model.train_scales.1: its output has no loss.* or remove the scale"):
        template.load(path)
    content["losses"] |= {"scale_1": content["losses"]["scale_0"], "scale_2": content["losses"]["scale_0"]}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"losses.scale_2: there is no such output; .* scale_0, scale_1"):
        template.load(path)
