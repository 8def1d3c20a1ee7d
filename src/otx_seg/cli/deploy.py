"""`otx deploy`: a model packed into one file."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import labels_option, output_options, workspace_option
from otx_seg.cli.verb import Verb


@click.command("deploy", cls=Verb)
@click.option(
    "--load-weights",
    metavar="FILE",
    help="The .xml of `otx export` or `otx optimize`; default: the last of them in the workspace.",
)
@labels_option
@workspace_option
@output_options
def command(**arguments: Any) -> None:
    """Pack an OpenVINO model into openvino.zip, with a demo and a README for a receiver without this toolkit."""
    from otx_seg.cli.screen import results
    from otx_seg.verbs.deploy import deploy
    from otx_seg.workspace.command_line import otx_command

    result = deploy(arguments.pop("load_weights"), **arguments)
    results.print(f"Package: {result.package} ({result.size / 1e6:.2f} MB, {len(result.labels)} labels)")
    try_it = otx_command("demo", "--input", "PATH", "--load-weights", result.package)
    results.print(f"Try it here: {try_it}")
