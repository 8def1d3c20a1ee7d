"""`otx weights`: published weights of backbones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import click

from otx_seg.cli.verb import Verb
from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.terminal import say, say_json


@click.group("weights", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List where the published weights of each template's backbone come from, and whether they are here.

    `otx weights fetch` gets them ahead. The environment variable OTX_SEG_WEIGHTS_URL names a mirror, or a folder on a
    machine without a network, that has the files under their own names.
    """
    if context.invoked_subcommand is not None:
        return
    from otx_seg.workspace.published_weights import list_weights

    found = list_weights()
    if as_json:
        say_json([{**asdict(item), "path": None if item.path is None else str(item.path)} for item in found])
        return
    rows = [("TEMPLATE", "HERE", "LICENCE", "FROM")]
    rows += [(item.template, "yes" if item.path else "no", item.licence or "-", _short(item.source)) for item in found]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        say("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))
    for item in found:
        if item.problem:
            say(f"{item.template}: {item.problem}")


def _short(source: str) -> str:
    """An address as file and host; `--json` has it in full."""
    parts = urlsplit(source)
    return f"{PurePosixPath(parts.path).name} of {parts.hostname}" if parts.hostname else source


@command.command("fetch", cls=Verb)
@click.argument("template", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Those of all templates.")
@click.option("-o", "--output", metavar="FOLDER", help="Copy the files there, to carry them to another machine.")
def fetch(template: tuple[str, ...], all_of_them: bool, output: str | None) -> None:
    """Get the weights of templates before they are needed.

    On a machine without a network, OTX_SEG_WEIGHTS_URL=FOLDER makes training use the files that --output wrote.
    """
    if bool(template) == all_of_them:
        raise UsageError("name the templates whose weights are wanted, or give --all")
    from otx_seg.workspace.published_weights import fetch_weights, list_weights

    names = [item.template for item in list_weights()] if all_of_them else template
    failed = []
    for name in names:
        try:
            say(f"{name}: {fetch_weights(name, output)}")
        except UsageError:
            raise
        except OtxError as error:
            say(f"{name}: {error}")
            failed.append(name)
    if failed:
        raise OtxError(f"the weights of {', '.join(failed)} could not be had")
