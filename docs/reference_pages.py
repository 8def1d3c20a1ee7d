"""The pages in docs/reference, written from the command line and the schema: ``python docs/reference_pages.py``.

A page for each verb, one for each group of hyper-parameters, and one for the other keys of a template.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from otx_seg.cli.main import VERBS, cli
from otx_seg.cli.parameters import ParametersCommand
from otx_seg.template import USED_BY, Parameter, Template, default_template, list_parameters, list_settings, load
from otx_seg.template.group import AUTO
from otx_seg.template.hyper_parameters import HyperParameters

FOLDER = Path(__file__).with_name("reference")
MARK = "<!-- Written by `python docs/reference_pages.py`: change the help texts and the schema instead. -->"
TEMPLATE_PAGE = "template.md"

_KINDS = {"section": "mapping or list"}


def reference_pages() -> dict[str, str]:
    """The text of each page in Markdown, by its name in `FOLDER`."""
    pages = {f"{verb}.md": _verb_page(verb) for verb in VERBS}
    parameters = _schema_parameters()
    for group in HyperParameters.model_fields:
        own = [item for item in parameters if item.name.startswith(f"{group}.")]
        pages[_group_page(group)] = _parameters_page(group, own[0].group, f"params --{group}.NAME VALUE", own)
    pages[TEMPLATE_PAGE] = _template_page()
    return {name: f"{MARK}\n\n{text}\n" for name, text in pages.items()}


def write_pages() -> None:
    """Write all pages, and remove those of what is gone."""
    FOLDER.mkdir(exist_ok=True)
    pages = reference_pages()
    for file in FOLDER.glob("*.md"):
        if file.name not in pages:
            file.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def _verb_page(verb: str) -> str:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    parent = click.Context(cli, info_name="otx", **cli.context_settings)
    context = click.Context(command, parent, info_name=verb)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    takes_parameters = isinstance(command, ParametersCommand)
    if takes_parameters:
        usage += " [params --group.name VALUE ...]"
    help_text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"# otx {verb}", "", help_text, "", "```text", usage, "```", "", "| option | meaning |", "|---|---|"]
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    lines += [f"| `{_cell(names)}` | {_cell(_prose(meaning))} |" for names, meaning in filter(None, records) if meaning]
    if takes_parameters:
        lines += ["", "## Hyper-parameters", "", *_parameters_of(verb)]
    return "\n".join(lines)


def _parameters_of(verb: str) -> Iterator[str]:
    """Links to what may follow `params`."""
    if verb in USED_BY:
        yield f"`otx {verb}` looks at these; others are refused:"
        yield ""
        for name in USED_BY[verb]:
            group, _, parameter = name.partition(".")
            yield f"- [`{name}`]({_group_page(group)}#{parameter})"
        return
    yield "All groups:"
    yield ""
    for group in HyperParameters.model_fields:
        yield f"- [`{group}`]({_group_page(group)})"


def _group_page(group: str) -> str:
    return f"params-{group}.md"


def _schema_parameters() -> list[Parameter]:
    """All hyper-parameters with the values of the schema."""
    template = load(default_template()).model_copy(update={"hyper_parameters": HyperParameters()})
    return list_parameters(template)


def _parameters_page(title: str, about: str, usage: str, parameters: list[Parameter]) -> str:
    lines = [f"# {title}", "", about, "", "```text", usage, "```"]
    lines += ["", "A template may have other values; `otx find --template NAME` shows them."]
    for parameter in parameters:
        lines += ["", *_described(parameter, parameter.name.partition(".")[2])]
    return "\n".join(lines)


def _template_page() -> str:
    """The keys of a template beside its hyper-parameters, with the values of the schema where it has any."""
    lines = [
        "# The template file",
        "",
        "The keys of a template beside its `hyper_parameters`. Change them in a copy of the file, or in a template",
        "that `extends` another one: see [Workspaces](../workspaces.md#a-template-of-your-own).",
    ]
    defaults = _schema_defaults(Template, "")
    for setting in list_settings(load(default_template())):
        has = setting.name in defaults
        shown = Parameter(setting.name, defaults.get(setting.name), setting.kind, setting.possible, setting.meaning)
        lines += ["", *_described(shown, setting.name, required=not has)]
    return "\n".join(lines)


def _schema_defaults(section: type[BaseModel], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= _schema_defaults(field.annotation, f"{prefix}{name}.")
        elif not field.is_required():
            value = field.get_default(call_default_factory=True)
            found[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return found


def _described(parameter: Parameter, heading: str, required: bool = False) -> Iterator[str]:
    meaning, *choices = parameter.meaning.splitlines()
    yield f"## {heading}"
    yield ""
    yield "; ".join(filter(None, (_KINDS.get(parameter.kind, parameter.kind), _possible(parameter))))
    yield ""
    yield f"{_prose(meaning[:1].upper() + meaning[1:])}{'' if meaning.endswith('.') else '.'}"
    if choices:
        yield ""
    for choice in choices:
        name, _, what = choice.partition(": ")
        yield f"- `{name}`: {_prose(what)}"
    if not required:
        yield ""
        yield from _default(parameter.value)


def _possible(parameter: Parameter) -> str:
    """The values a parameter can take, without `auto`, which is its default where there is that."""
    parts = [part for part in parameter.possible.split(" | ") if part not in ("", AUTO)]
    if parameter.kind == "bool":
        return ""
    if parameter.kind == "choice":
        return ", ".join(f"`{part}`" for part in parts)
    return ", ".join(parts).removesuffix(" to any")


def _default(value: Any) -> Iterator[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield "Default:"
        yield ""
        for item in value:
            yield f"- `{item}`"
        return
    if value == AUTO:
        yield "Default: `auto`, [decided](../configuration.md) when a training begins."
        return
    shown = {None: "null", "": "empty"}.get(value) if value in (None, "") else None
    yield (
        f"Default: `{f'{value:.4g}' if isinstance(value, float) else value}`."
        if shown is None
        else f"Default: {shown}."
    )


def _prose(text: str) -> str:
    """A help text as Markdown: options and names of files as code, nothing as a tag."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else _marked(part) for part in parts)


def _marked(text: str) -> str:
    text = re.sub(r"\[([0-9<=]*x[0-9<>=]+)\]", r"(`\g<1>`)", text)
    text = "".join(
        part if part.startswith("`") else part.replace("<", "&lt;").replace("*", "\\*")
        for part in re.split(r"(`[^`]*`)", text)
    )
    return re.sub(r"(?<![\w-])--[a-z][a-z-]*[a-z]", r"`\g<0>`", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    write_pages()
