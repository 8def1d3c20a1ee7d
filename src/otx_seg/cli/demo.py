"""`otx demo`: shows the predictions of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from otx_seg.cli.options import labels_option, path_options, weights_option, workspace_option
from otx_seg.cli.verb import Verb


class _Demo(Verb):
    may_be_urls = ("source",)


@click.command("demo", cls=_Demo)
@click.option(
    "-i",
    "--input",
    "source",
    metavar="SOURCE",
    help="An image, a folder of images, a video, a camera's number, or the address of a stream (rtsp://..., "
    "http://...); else the workspace's test data.",
)
@path_options
@weights_option(".pth, .xml, .onnx, or the .zip of `otx deploy`")
@labels_option
@workspace_option
@click.option(
    "--min-confidence",
    type=float,
    metavar="P",
    help="Show pixels of a lower confidence as unknown, above 0 and at most 1; in saved masks they are 255.",
)
@click.option("--display-perf", is_flag=True, help="Show frames per second and milliseconds on the image.")
@click.option("--loop", is_flag=True, help="Repeat from the start, until q, ESC or Ctrl-C.")
@click.option(
    "--delay",
    type=int,
    metavar="MS",
    help="Milliseconds each frame is shown; 0: until a key is pressed; negative: no window. Without it images wait for "
    "a key, videos and cameras do not.",
)
@click.option(
    "--fit-to-size",
    type=click.IntRange(1, 16384),
    nargs=2,
    metavar="W H",
    help="Resize the images to fit this width and height, with the same aspect ratio.",
)
@click.option("-o", "--output", metavar="FOLDER", help="Save masks and overlays there, named as in `otx predict`.")
@click.option("--overwrite", is_flag=True, help="Replace existing files in the output folder.")
def command(source: str | None, **arguments: Any) -> None:
    """Show images, a video, a camera or a stream with the predicted labels drawn over them in colours with names.

    In the window, q or ESC stops. Without a display, use --output.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.runtime.demo_program import in_words
    from otx_seg.verbs.demo import demo

    with counting("frames") as advance:
        shown = demo(source, progress=advance, **arguments)
    output = arguments["output"]
    for line in in_words(shown, None if output is None else Path(output)):
        results.print(line)
