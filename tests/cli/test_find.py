"""The listing, one template in full, and JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from otx_seg.cli.main import cli
from otx_seg.template import find_templates, list_parameters, list_settings, load


def test_the_listing_shows_every_template_below_its_family(otx: Any) -> None:
    lines = otx("find").out.splitlines()
    templates = find_templates()
    assert len(lines) == 1 + len(templates) + len({template.family for template in templates})
    family = ""
    shown = {}
    for line in lines[1:]:
        family = family if line.startswith("  ") else line
        shown[line.split()[0]] = (family, line)
    for template in templates:
        below, line = shown[template.name]
        assert below == template.family
        for text in (f"{template.gigaflops:.2f}", f"{template.size_mb:.1f}", template.summary):
            assert text in line


def test_one_list_in_an_order(otx: Any) -> None:
    lines = otx("find", "--sort", "parameters", "--max-gflops", "3").out.splitlines()[1:]
    expected = sorted((item for item in find_templates() if item.gigaflops <= 3), key=lambda item: item.parameter_count)
    assert [line.split()[0] for line in lines] == [item.name for item in expected]
    assert all(item.family in line for item, line in zip(expected, lines, strict=True))


def test_one_family(otx: Any) -> None:
    listed = json.loads(otx("find", "--family", "segnext", "--json").out)
    assert [item["name"] for item in listed] == ["SegNext-t", "SegNext-s", "SegNext-b"]
    assert {item["family"] for item in listed} == {"SegNeXt"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--family", "segnet"), "--family: unknown family 'segnet'; did you mean 'SegNeXt'?"),
        (("--max-gflops", "0"), "--max-gflops: none computes at most 0 GFLOPs; the smallest, Lite-HRNet-s-mod2"),
        (("--template", "SegNext-t", "--sort", "name"), "--template and --sort cannot be combined"),
        (("--backbone", "otx", "--max-gflops", "0"), "--backbone and --max-gflops cannot be combined"),
    ],
)
def test_what_cannot_be_listed(otx: Any, arguments: tuple[str, ...], message: str) -> None:
    outcome = otx("find", *arguments)
    assert outcome.code == 2
    assert message in outcome.message


@pytest.mark.parametrize("words", [["train"], ["find", "--template"], ["build", "--model"], ["weights", "fetch"]])
def test_shells_complete_the_names_of_templates(words: list[str]) -> None:
    completion = ShellComplete(cli, {}, "otx", "_OTX_COMPLETE")
    assert [item.value for item in completion.get_completions(words, "segn")] == ["SegNext-t", "SegNext-s", "SegNext-b"]
    assert [item.type for item in completion.get_completions(words, "./mine")] == ["file"]


def test_one_template_shows_every_parameter_with_its_value(otx: Any) -> None:
    shown = otx("find", "--template", "segnext-t").out
    for parameter in list_parameters(load("SegNext-t")):
        assert f"--{parameter.names}  [{parameter.value}]" in shown
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
