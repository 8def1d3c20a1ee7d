"""The program `demo.py` of a package made by `otx deploy`: options, messages and exit codes."""

from __future__ import annotations

import argparse
import functools
import logging
import signal
import sys
from pathlib import Path
from typing import NoReturn

from otx_seg.errors import OtxError
from otx_seg.runtime.demonstration import DemoResult, DemoSettings, demonstrate
from otx_seg.runtime.handed_over import open_handed_over
from otx_seg.runtime.pipeline import in_turn, side_by_side
from otx_seg.runtime.predictor import refuse_masks_alone
from otx_seg.runtime.result_files import OVERLAYS
from otx_seg.runtime.streams import open_stream
from otx_seg.runtime.terminal import prepare_streams, read_names_as_utf8, say


def main(model: Path, arguments: list[str] | None = None) -> int:
    """Run the program.

    Args:
        model: the folder that ``--models`` stands for when it is left out.
        arguments: of the command line; None: those of this process.

    Returns:
        The exit code: 0 done, 1 failed while working, 2 wrong usage, 3 unusable data, 130 interrupted by Ctrl-C.
    """
    if arguments is None:
        read_names_as_utf8()
    prepare_streams()
    given = _parser(model).parse_args(arguments)
    logging.basicConfig(handlers=[_Messages(logging.WARNING)])
    try:
        show = DemoSettings(
            window=not given.no_show,
            output=given.output,
            overwrite=given.overwrite,
            loop=given.loop,
            min_confidence=given.min_confidence,
        )
        stream = open_stream(given.input)
        predictor = open_handed_over(given.models, given.device)
        refuse_masks_alone(predictor, given.models, given.min_confidence)
        way = functools.partial(side_by_side if given.inference_type == "async" else in_turn, predictor)
        masks = functools.partial(way, min_confidence=given.min_confidence)
        shown = demonstrate(stream, masks, predictor.labels, show)
        say(*in_words(shown, given.output))
    except OtxError as error:
        say(f"Error: {error}", error=True)
        return error.exit_code
    except KeyboardInterrupt:
        say("Error: interrupted", error=True)
        return 128 + signal.SIGINT
    return 0


class _Messages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage(), error=True)


def in_words(shown: DemoResult, output: Path | None) -> list[str]:
    """How many frames there were, how fast, what these figures contain, and where the results are, in lines."""
    work = "reading and drawing" if output is None else "reading, drawing and writing"
    lines = [
        f"Frames: {shown.frames}, {shown.frames_per_second:.1f} per second with {work}; "
        f"{shown.milliseconds:.1f} ms from frame to mask on average"
    ]
    if output is not None:
        lines.append(f"Masks: {output}, overlays: {output / OVERLAYS}")
    return lines


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        say(f"Error: {message}", error=True)
        sys.exit(2)


def _parser(model: Path) -> argparse.ArgumentParser:
    parser = _Parser(
        description="Shows what the model makes of images, a video or a camera. In the window, q or ESC stops."
    )
    parser.add_argument(
        "-i",
        "--input",
        required=True,
        help="an image, a folder of images, a video, a camera's number, or an address (rtsp://, http://)",
    )
    parser.add_argument("-m", "--models", default=model, type=Path, help="the folder of the model (default: ../model)")
    parser.add_argument(
        "-it",
        "--inference_type",
        choices=("sync", "async"),
        default="async",
        help="one frame after the other, or several at a time (default: async)",
    )
    parser.add_argument("-l", "--loop", action="store_true", help="begin again at the end")
    parser.add_argument("--no_show", action="store_true", help="open no window")
    parser.add_argument("-d", "--device", choices=("CPU", "GPU"), default="CPU", help="where it runs (default: CPU)")
    parser.add_argument(
        "--min-confidence", type=float, metavar="P", help="show pixels of a lower confidence, 0 to 1, as unknown"
    )
    parser.add_argument("--output", type=Path, help="folder for masks, NAME.png, and overlays, overlays/NAME.jpg")
    parser.add_argument("--overwrite", action="store_true", help="replace files of their names in that folder")
    return parser
