"""`otx convert`: labelled data of any format as images and index masks."""

from __future__ import annotations

from typing import Any

import click

from otx_seg.cli.options import data_format_option, label_map_option, workspace_option
from otx_seg.cli.verb import Verb


class _ListsFormats(Verb):
    """A command whose help ends with the formats."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from otx_seg.datasets import known_formats

        with formatter.section("Formats, and how they are recognised"):
            formatter.write_dl([(name, known.layout) for name, known in known_formats().items()])


@click.command("convert", cls=_ListsFormats)
@click.option(
    "--data-roots",
    metavar="FOLDER",
    help="Labelled data; default: all data of the workspace. It is not changed.",
)
@click.option("-o", "--output", metavar="FOLDER", help="A new output folder; default: one in the workspace.")
@data_format_option
@label_map_option
@click.option("--ann-files", metavar="FILE", help="COCO file that describes the data, if it is not in the folder.")
@workspace_option
def command(**arguments: Any) -> None:
    """Write labelled data of any format as images, index masks (PNG) and dataset_meta.json.

    Every command also reads these formats directly. Converted data opens faster, and is easy to inspect and to
    change. Call the same command again to resume an interrupted conversion.
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
