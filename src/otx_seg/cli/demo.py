"""`otx demo`: a model at work, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from otx_seg.cli.options import labels_option, weights_option, workspace_option
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
@weights_option(".pth, .xml, .onnx, or the .zip of `otx deploy`")
@labels_option
@workspace_option
@click.option("--display-perf", is_flag=True, help="Write frames per second and milliseconds onto the picture.")
@click.option("--loop", is_flag=True, help="Begin again at the end, until q, ESC or Ctrl-C.")
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
    help="Enlarge or shrink the pictures to this width and height, proportions kept.",
)
@click.option("-o", "--output", metavar="FOLDER", help="Keep masks and overlays there, named as by `otx predict`.")
@click.option("--overwrite", is_flag=True, help="Replace files of their names in the output folder.")
def command(source: str | None, **arguments: Any) -> None:
    """Show images, a video, a camera or a stream with the model's labels, their colours and names drawn over them.

    In the window, q or ESC stops. Without a display nothing is shown: use --output.
    """
    from otx_seg.cli.screen import counting, results
    from otx_seg.runtime.demo_program import in_words
    from otx_seg.verbs.demo import demo

    with counting("frames") as advance:
        shown = demo(source, progress=advance, **arguments)
    output = arguments["output"]
    for line in in_words(shown, None if output is None else Path(output)):
        results.print(line)
