"""`otx find`: lists templates and backbones."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import Literal

import click

from otx_seg.catalogue import nearest
from otx_seg.cli.options import TemplateName
from otx_seg.cli.verb import Verb
from otx_seg.errors import UsageError
from otx_seg.runtime.terminal import say, say_json
from otx_seg.template import TemplateSummary, find_template_file, find_templates

SORT_KEYS = {"name": "name", "gflops": "gigaflops", "parameters": "parameter_count", "size": "size_mb"}
_JSON = ("name", "id", "family", "category", "gigaflops", "parameter_count", "size_mb", "output_stride")


@click.command("find", cls=Verb)
@click.option(
    "--template", metavar="NAME", type=TemplateName(), help="Show every parameter of this template (name, id or path)."
)
@click.option("--family", metavar="NAME", help="List only the templates of this family, such as Lite-HRNet.")
@click.option("--max-gflops", metavar="NUMBER", type=float, help="List only templates that compute at most so much.")
@click.option("--sort", type=click.Choice([*SORT_KEYS]), help="One list in this order, instead of one for each family.")
@click.option(
    "--backbone",
    type=click.Choice(["mmseg", "otx"]),
    help="List the backbones for `otx build --backbone`: those of MMSegmentation, or of this toolkit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    template: str | None,
    family: str | None,
    max_gflops: float | None,
    sort: str | None,
    backbone: Literal["mmseg", "otx"] | None,
    as_json: bool,
) -> None:
    """List the templates, show one with all its parameters, or list backbones.

    GFLOPs are billions of multiply-adds for one 512x512 image; MB are 10^6 bytes of float32 weights; the stride is the
    number of image pixels from one answer of the network to the next.
    """
    of_the_list = {"--family": family, "--max-gflops": max_gflops, "--sort": sort}
    given = [
        name
        for name, value in {"--template": template, "--backbone": backbone, **of_the_list}.items()
        if value is not None
    ]
    if (template is not None or backbone is not None) and len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} cannot be combined: leave one of them out")
    if backbone is not None:
        _show_backbones(backbone, as_json)
    elif template is not None:
        _show_one(template, as_json)
    else:
        found = _chosen(family, max_gflops)
        if sort is not None:
            found.sort(key=lambda item: getattr(item, SORT_KEYS[sort]))
        if as_json:
            say_json([{key: getattr(item, key) for key in (*_JSON, "default", "summary")} for item in found])
        else:
            _show_list(found, grouped=sort is None)


command.needs_screen = False


def _chosen(family: str | None, max_gflops: float | None) -> list[TemplateSummary]:
    """
    Raises:
        UsageError: no template is left; the message says why.
    """
    found = find_templates()
    if family is not None:
        families = list(dict.fromkeys(item.family for item in found))
        found = [item for item in found if item.family.lower() == family.lower()]
        if not found:
            raise UsageError(f"--family: unknown family {family!r}; {nearest(family, families)}")
    if max_gflops is not None:
        smallest = found[0]
        found = [item for item in found if item.gigaflops <= max_gflops]
        if not found:
            raise UsageError(
                f"--max-gflops: none computes at most {max_gflops:g} GFLOPs; the smallest, {smallest.name}, "
                f"has {smallest.gigaflops:.2f}"
            )
    return found


def _show_list(found: list[TemplateSummary], grouped: bool) -> None:
    """One line each; grouped: below the name of their family, which begins with its smallest network."""
    rows = {
        item.name: (
            f"{item.name} (default)" if item.default else item.name,
            *(() if grouped else (item.family,)),
            f"{item.gigaflops:.2f}",
            f"{item.parameter_count / 1e6:.2f}",
            f"{item.size_mb:.1f}",
            f"{item.output_stride:g}",
        )
        for item in found
    }
    titles = ("NAME", *(() if grouped else ("FAMILY",)), "GFLOPs", "PARAMETERS (M)", "MB", "STRIDE")
    texts = 1 if grouped else 2  # columns of text, which begin at the left
    widths = [max(map(len, column)) for column in zip(titles, *rows.values(), strict=True)]

    screen = shutil.get_terminal_size().columns if sys.stdout.isatty() else None

    def line(row: tuple[str, ...], summary: str) -> str:
        cells = [
            cell.ljust(width) if column < texts else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text = "  ".join([*([""] if grouped else []), *cells, summary])
        return text if screen is None or len(text) <= screen else text[: screen - 1] + "…"

    say(line(titles, "SUMMARY"))
    if not grouped:
        say(*(line(rows[item.name], item.summary) for item in found))
        return
    for family in dict.fromkeys(item.family for item in found):
        say(family, *(line(rows[item.name], item.summary) for item in found if item.family == family))


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
        ", ".join(name for name in (template.family, template.category) if name)
        + f"; {template.gigaflops:.2f} GFLOPs, {template.parameter_count:,} parameters, {template.size_mb:.2f} MB; "
        f"one answer for {template.output_stride:g}x{template.output_stride:g} pixels",
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
