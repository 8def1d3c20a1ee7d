"""`otx convert`: labelled data of any format as images and index masks."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import data_format_option, workspace_option
from otx_seg.cli.verb import Verb


class _ListsFormats(Verb):
    """A command whose help ends with the formats."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from otx_seg.datasets import known_formats

        with formatter.section("Formats, and what they are recognised by"):
            formatter.write_dl([(name, known.layout) for name, known in known_formats().items()])


@click.command("convert", cls=_ListsFormats)
@click.option(
    "--data-roots",
    metavar="FOLDER",
    help="Labelled data; without it all of the workspace's. Nothing is written there.",
)
@click.option("-o", "--output", metavar="FOLDER", help="A new folder to write to; without it one in the workspace.")
@data_format_option
@click.option("--ann-files", metavar="FILE", help="COCO file that describes the data, where it is not in the folder.")
@workspace_option
def command(**arguments: Any) -> None:
    """Write labelled data of any format as images, index masks (PNG) and dataset_meta.json.

    Every command reads these formats by itself. Converted data is quicker to open, and easy to look at and to
    change. An interrupted conversion goes on where it was when the same command is given again.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.verbs.convert import convert
    from otx_seg.workspace.command_line import otx_command

    with counting("converting") as advance:
        result = convert(progress=advance, **arguments)
    parts = ", ".join(f"{name} {count}" for name, count in result.images.items())
    results.print(f"Images: {sum(result.images.values())} ({parts})")
    results.print(f"Labels: {', '.join(result.labels.names)}")
    results.print(f"Data: {result.output}")
    results.print(f"Next: {otx_command('check', '--data-roots', result.output)}")
