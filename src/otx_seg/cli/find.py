"""`otx find`: lists templates and backbones."""

from __future__ import annotations

import textwrap
from typing import Literal

import click

from otx_seg.cli.verb import Verb
from otx_seg.errors import UsageError
from otx_seg.runtime.terminal import say, say_json
from otx_seg.template import find_template_file, find_templates


@click.command("find", cls=Verb)
@click.option("--template", metavar="NAME", help="Show every parameter of this template (name, id or path).")
@click.option(
    "--backbone",
    type=click.Choice(["mmseg", "otx"]),
    help="List the backbones for `otx build --backbone`: those of MMSegmentation, or of this toolkit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(template: str | None, backbone: Literal["mmseg", "otx"] | None, as_json: bool) -> None:
    """List the templates, show one with all its parameters, or list backbones.

    GFLOPs are billions of multiply-adds for one 512x512 image; MB are 10^6 bytes of float32 weights.
    """
    if template is not None and backbone is not None:
        raise UsageError("--template and --backbone cannot be combined: leave one of them out")
    if backbone is not None:
        _show_backbones(backbone, as_json)
    elif template is not None:
        _show_one(template, as_json)
    else:
        _show_all(as_json)


command.needs_screen = False


def _show_all(as_json: bool) -> None:
    columns = ("name", "id", "category", "gigaflops", "parameter_count", "size_mb")
    found = find_templates()
    if as_json:
        say_json([{column: getattr(item, column) for column in (*columns, "default", "summary")} for item in found])
        return
    rows = [("NAME", "ID", "CATEGORY", "GFLOPs", "PARAMETERS", "MB")]
    for item in found:
        name = f"{item.name} (default)" if item.default else item.name
        numbers = (f"{item.gigaflops:.2f}", f"{item.parameter_count:,}", f"{item.size_mb:.2f}")
        rows.append((name, item.id, item.category, *numbers))
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    for row in rows:
        texts = [cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True)]
        numbers_right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        say("  ".join(texts + numbers_right).rstrip())


def _show_one(name: str, as_json: bool) -> None:
    from otx_seg.cli.parameters import describe_parameters
    from otx_seg.template import list_parameters, list_settings, load

    template = load(name)
    parameters = list_parameters(template)
    if as_json:
        listed = {"parameters": parameters, "settings": list_settings(template)}
        described = {name: [item.as_json() for item in items] for name, items in listed.items()}
        say_json({**template.as_dict(), **described})
        return
    lines = [
        f"{template.name} ({template.id})",
        template.summary,
        f"{template.category}; {template.gigaflops:.2f} GFLOPs, {template.parameter_count:,} parameters, "
        f"{template.size_mb:.2f} MB; one answer for {template.output_stride:g}x{template.output_stride:g} pixels",
        "",
    ]
    settable = "Parameters, set with `params --NAME VALUE` after a command's other arguments:"
    fixed = f"Settings, changed in a copy of {find_template_file(name)}:"
    lines += [*describe_parameters(parameters, settable), "", *describe_parameters(list_settings(template), fixed, "")]
    say(*lines)


def _show_backbones(family: Literal["mmseg", "otx"], as_json: bool) -> None:
    from otx_seg.models.known_backbones import list_backbones

    found = list_backbones(family)
    if as_json:
        say_json([backbone.as_json() for backbone in found])
        return
    lines = []
    for backbone in found:
        lines.append(backbone.type)
        if backbone.unusable:
            lines.append(f"  cannot be used: {backbone.unusable}")
            continue
        facts = {"known good as": backbone.known, "needs": backbone.required, "takes": tuple(backbone.options)}
        for what, names in facts.items():
            if names or what == "known good as":
                text = f"{what}: {', '.join(names)}" if names else "not tried"
                lines += textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="      ")
    lines += ["", "Into a template with `otx build --backbone NAME`: a known good one, a type that needs nothing,"]
    lines.append("or a YAML file with the type and its arguments.")
    say(*lines)
