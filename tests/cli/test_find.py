"""The listing, one template in full, and JSON."""

from __future__ import annotations

import json
from typing import Any

from otx_seg.template import find_templates, list_parameters, list_settings, load


def test_the_listing_shows_every_template(otx: Any) -> None:
    lines = otx("find").out.splitlines()
    assert len(lines) == 1 + len(find_templates())
    for template, line in zip(find_templates(), lines[1:], strict=True):
        for text in (template.name, template.id, template.category, f"{template.gigaflops:.2f}"):
            assert text in line


def test_one_template_shows_every_parameter_with_its_value(otx: Any) -> None:
    shown = otx("find", "--template", "segnext-t").out
    for parameter in list_parameters(load("SegNext-t")):
        assert f"--{parameter.name}  [{parameter.value}]" in shown
        assert all(line in shown for line in parameter.meaning.splitlines())
        assert shown.count(parameter.group) == 1
    assert "1 to 512" in shown
    for setting in list_settings(load("SegNext-t")):
        assert f"  {setting.name}  [{setting.value}]" in shown
        assert setting.meaning in shown
    assert "schedule.poly_power  [0.9]  float, above 0 to 10" in shown


def test_json(otx: Any) -> None:
    listed = json.loads(otx("find", "--json").out)
    assert [item["name"] for item in listed] == [template.name for template in find_templates()]
    one = json.loads(otx("find", "--template", "SegNext-t", "--json").out)
    parameters = {item["name"]: item for item in one["parameters"]}
    rate = parameters["learning_parameters.learning_rate"]["value"]
    assert rate == load("SegNext-t").hyper_parameters.learning_parameters.learning_rate
    batch = parameters["learning_parameters.batch_size"]
    assert (batch["value"], batch["possible"]) == ("auto", "auto | 1 to 512")
    assert one["model"]["type"] == "EncoderDecoder"


def test_an_unknown_template(otx: Any) -> None:
    outcome = otx("find", "--template", "SegNet-t")
    assert outcome.code == 2
    assert "did you mean 'SegNext-t'" in outcome.message
