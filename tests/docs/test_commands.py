"""Every command line in the documentation is one that the program takes; none is run."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest
from markdown_pages import PAGES, ROOT, commands_of, words_of

from otx_seg.cli.main import VERBS, cli
from otx_seg.cli.parameters import ParametersCommand
from otx_seg.errors import OtxError
from otx_seg.template import USED_BY, Template, default_template, find_templates, load
from otx_seg.template.hyper_parameters import HyperParameters
from otx_seg.template.plain_names import by_own_names

NAMES = {name.lower() for template in find_templates() for name in (template.name, template.id)}
EVERY_PARAMETER = [f"{group}.{name}" for group, own in HyperParameters() for name in type(own).model_fields]
PLACEHOLDERS = re.compile(r"[A-Z_]+|.*\.ya?ml")  # of templates and values

COMMANDS = [
    pytest.param(command, in_prose, id=f"{page.relative_to(ROOT)}: {command}")
    for page in PAGES
    for command, in_prose in dict.fromkeys(commands_of(page.read_text(encoding="utf-8")))
]


def test_commands_are_found() -> None:
    text = "`otx a` of\n```\notx b --c 1 \\\n  --d && otx e  # f\nls\n```\n```python\notx g\n```\n`otx h [--i j|k] ...`"
    found = [(" ".join(command.split()), in_prose) for command, in_prose in commands_of(text)]
    assert found[:2] == [("otx b --c 1 --d", False), ("otx e", False)]
    assert found[2:] == [("otx a", True), ("otx h [--i j|k] ...", True)]
    assert words_of(found[-1][0]) == [["h", "--i", "j"], ["h", "--i", "k"]]
    assert len(COMMANDS) > 100


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("otx trian", "no command"),
        ("otx train --resume RUN", "here this is --resume-from"),
        ("otx find --backbone torch", "torch"),
        ("otx check data/train", "without its option"),
        ("otx train Lite-HRNet-z", "Lite-HRNet-z"),
        ("otx train params --learning_parameters.batch 3", "batch"),
        ("otx run --learning_parameters.batch_size 1000", "batch_size"),
        ("otx eval params --learning_parameters.batch_size 4", "batch_size"),
    ],
)
def test_a_wrong_command_is_noticed(command: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((click.UsageError, OtxError, AssertionError), match=f"(?i){wrong}"):
        try_to_parse(words_of(command)[0])


@pytest.mark.parametrize(("command", "in_prose"), COMMANDS)
def test_the_program_takes_it(command: str, in_prose: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in words_of(command):
        try:
            try_to_parse(words)
        except click.MissingParameter:
            if not in_prose or len(words) > 1:  # prose names a verb without its arguments
                raise
        except click.BadOptionUsage as error:
            if not in_prose or words[-1] != error.option_name:  # prose names options without their values
                raise


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_parameters_exist(page: Path) -> None:
    groups = "|".join(HyperParameters.model_fields)
    named = re.findall(rf"\b(?:{groups})\.[a-z_]+", page.read_text(encoding="utf-8"))
    own_names = {own for name in named for own in by_own_names({name: None})}
    unknown = own_names - set(EVERY_PARAMETER)
    assert [name for name in unknown if not name.endswith((".md", ".py"))] == []


def try_to_parse(words: list[str]) -> None:
    """Parse a command line without running it.

    Raises:
        AssertionError, click.UsageError, OtxError: it is wrong.
    """
    if words[0] == "VERB":
        return
    if words[0].startswith("-"):
        assert set(words) <= {"--help", "-h", "--version"}
        return
    assert words[0] in VERBS, f"no command {words[0]}"
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None
    try:
        context = command.make_context(
            words[0], [default_template() if word == "TEMPLATE" else word for word in words[1:]]
        )
    except click.exceptions.Exit:  # it asks for help
        return
    template = context.params.get("template") or context.params.get("model")
    for name in [template] if isinstance(template, str) else template or ():
        assert name.lower() in NAMES or PLACEHOLDERS.fullmatch(name), f"no template {name}"
    if isinstance(command, ParametersCommand):
        parameters = by_own_names(context.params["parameters"])
        used = USED_BY.get(words[0], EVERY_PARAMETER)
        assert set(parameters) <= set(used), f"unknown among {set(parameters)}"
        _default().override({name: value for name, value in parameters.items() if not PLACEHOLDERS.fullmatch(value)})


@cache
def _default() -> Template:
    return load(default_template())
