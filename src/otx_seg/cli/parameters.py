"""Hyper-parameters on the command line: ``--group.name VALUE``, as in OTX 1.x after the word `params`.

They are made from the template's schema: whatever has a field there can be set here, nothing is hidden.
"""

from __future__ import annotations

import re
from typing import Any

import click

from otx_seg.cli.verb import Verb
from otx_seg.errors import UsageError
from otx_seg.runtime.terminal import say

WORD = "params"

_DOTTED = re.compile(r"--[a-z_]+\.[a-z_]+(=|$)")


class ParametersCommand(Verb):
    """A command whose arguments may end in ``params --group.name VALUE ...``; the word may be left out.

    What follows the word, or has a dot in its name, is parsed into a dictionary and handed to the command as its
    argument `parameters`; ``params --help`` lists what there is, with the values of the template that is named.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, after = self._split(args)
        if after is not None and any(word in ("-h", "--help") for word in after):
            named = self.make_parser(ctx).parse_args(list(before))[0].get("template")
            say(*_list_parameters(named if isinstance(named, str) else None, ctx.command.name or ""))
            ctx.exit()
        rest = super().parse_args(ctx, before)
        ctx.params["parameters"] = parse_parameters(after or [])
        return rest

    def parameter_names(self) -> dict[str, str]:
        from otx_seg import template as templates

        listed = templates.list_parameters(templates.load(templates.default_template()), self.name or "")
        return {parameter.name: parameter.plain for parameter in listed}

    def _split(self, args: list[str]) -> tuple[list[str], list[str] | None]:
        """The command's own arguments, and the hyper-parameters: None if the word `params` is not there and they are
        neither. A word that is the value of an option is nothing but that."""
        options = [option for option in self.params if isinstance(option, click.Option) and not option.is_flag]
        wanting = {name for option in options for name in option.opts}
        own: list[str] = []
        parameters: list[str] = []
        rest = list(args)
        while rest:
            word = rest.pop(0)
            is_value = bool(own) and own[-1] in wanting
            if word == WORD and not is_value:
                return own, [*parameters, *rest]
            if is_value or not _DOTTED.match(word):
                own.append(word)
                continue
            parameters.append(word)
            if "=" not in word and rest and not rest[0].startswith("--") and rest[0] != WORD:
                parameters.append(rest.pop(0))
        return own, parameters or None

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Hyper-parameters"):
            formatter.write_text("[params] --group.name VALUE ...  behind all other arguments;")
            formatter.write_text(f"`{ctx.command_path} [TEMPLATE] params --help` lists them.")


def parse_parameters(words: list[str]) -> dict[str, str]:
    """Parse ``--group.name VALUE`` and ``--group.name=VALUE``.

    Raises:
        UsageError: a word that is neither a name nor a value, a name without a value, or one given twice.
    """
    values: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise UsageError(f"params: {word!r} is not a --group.name, which is expected here")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or (rest[0].startswith("--")):
                raise UsageError(f"params: --{name} needs a value")
            value = rest.pop(0)
        if name in values:
            raise UsageError(f"params: --{name} is given twice")
        values[name] = value
    return values


def as_words(command: click.Command, arguments: dict[str, Any]) -> list[str]:
    """The command line, without the verb, that a `ParametersCommand` parses into these arguments."""
    words = []
    for parameter in command.params:
        value = arguments.get(parameter.name or "")
        if value is None or value is False:
            continue
        if isinstance(parameter, click.Option):
            name = max(parameter.opts, key=len)
            several = value if parameter.multiple else (value,)
            words += [name if parameter.is_flag else f"{name}={each}" for each in several]
        else:
            words.append(str(value))
    changes = arguments["parameters"]
    return [*words, *([WORD] if changes else []), *(f"--{name}={value}" for name, value in changes.items())]


def _list_parameters(template: str | None, verb: str) -> list[str]:
    from otx_seg import template as templates

    chosen = templates.load(template or templates.default_template())
    heading = f"Hyper-parameters of `otx {verb}` and their values in {chosen.name}:"
    return describe_parameters(templates.list_parameters(chosen, verb), heading)


def describe_parameters(parameters: list[Any], heading: str, dashes: str = "--") -> list[str]:
    """All parameters with value, type, range and meaning, in lines."""
    lines, group = [heading, ""], ""
    for parameter in parameters:
        if parameter.group != group:
            group = parameter.group
            lines += ["", group] if len(lines) > 2 else [group]
        possible = f", {parameter.possible}" if parameter.possible else ""
        lines.append(f"  {dashes}{parameter.names}  [{parameter.value}]  {parameter.kind}{possible}")
        meaning, *names = parameter.meaning.splitlines()
        lines += [f"      {meaning}", *(f"        {name}" for name in names)]
    return lines
