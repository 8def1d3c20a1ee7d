"""The command `otx`: chooses the verb, and turns every failure into one clear message and an exit code.

Only click is imported here; a verb's own imports happen when it runs, so that `otx --help` answers at once.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from otx_seg.cli.home import give_home
from otx_seg.cli.system_errors import NO_MEMORY, current_folder_is_gone, in_words, is_out_of_memory
from otx_seg.errors import OtxError, UsageError, exit_code_of, interrupted_by
from otx_seg.interrupts import interruptions_as_such
from otx_seg.runtime.terminal import as_message, prepare_streams, read_names_as_utf8, say

VERBS = {
    "quickstart": "run the whole job on a small synthetic data set",
    "run": "run the whole job on your data, from check to package",
    "find": "list the templates or backbones, or show a template in full",
    "weights": "list published backbone weights and fetch them ahead",
    "check": "check labelled images before training",
    "convert": "convert data of another format to images and index masks",
    "build": "make a workspace, in which the other commands need no arguments",
    "train": "train a network on a folder of images and masks",
    "eval": "evaluate a model on a labelled data set",
    "report": "make the report page of a finished run again",
    "predict": "predict the masks of images",
    "suggest": "suggest which images to label next",
    "explain": "show heat maps that explain predictions",
    "export": "export trained weights as an OpenVINO or ONNX model",
    "optimize": "quantise a model to INT8",
    "benchmark": "compare speed, size, memory and accuracy of models",
    "deploy": "pack an OpenVINO model into one file for a receiver",
    "demo": "show predictions on images, a video or a camera",
}
"""The verbs in the order of work, each in a module of this package, with its line in the overview."""

_AFTER_INTERRUPTION = (
    "finished files are complete. To continue, run the same command again, with --overwrite if it finds a result"
)


class _Verbs(click.Group):
    """Imports a verb's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"otx_seg.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs, in the order of work"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from otx_seg.catalogue import nearest

            raise click.UsageError(f"there is no command {args[0]!r}; {nearest(args[0], list(VERBS))}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="otx-seg")
def cli() -> None:
    """From a folder of images and masks to a segmentation model that runs on an edge CPU.

    Begin with `otx quickstart`, or with your own data: `otx train --train-data-roots FOLDER`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed while working, 2 wrong usage, 3 unusable data, 128 + signal."""
    try:
        with interruptions_as_such():
            if arguments is None:
                read_names_as_utf8()
            prepare_streams()
            if current_folder_is_gone():
                raise UsageError("the current folder was removed; cd to another one")
            give_home()
            cli.main(arguments, standalone_mode=False)
        sys.exit(0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _show_wrong_usage(error)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt) as error:
        _fail(f"{interrupted_by(error)}; {_AFTER_INTERRUPTION}", exit_code_of(error), KeyboardInterrupt())
    except OtxError as error:
        _fail(str(error), exit_code_of(error), error)
    except OSError as error:
        said = in_words(error)
        if said is not None:
            _fail(*said, error)
        _fail_unexpectedly(error)
    except Exception as error:
        _fail_unexpectedly(error)


def _show_wrong_usage(error: click.ClickException) -> None:
    """The message of click, with unprintable characters of the command line replaced."""
    told, reason = io.StringIO(), error.format_message()
    error.show(told)
    say(*told.getvalue().rstrip("\n").replace(reason, as_message(reason)).split("\n"), error=True)


def _fail(message: str, exit_code: int, error: BaseException) -> None:
    if "OTX_SEG_LAUNCH" in os.environ:
        from otx_seg.distributed.worker import leave_note

        if leave_note(message, exit_code, error):  # of several processes that fail, only one is to be heard
            sys.exit(exit_code)
    say(f"Error: {message}", error=True)
    sys.exit(exit_code)


def _fail_unexpectedly(error: Exception) -> None:
    """For unexpected errors: the traceback goes to a file, the path of that file to the screen."""
    if is_out_of_memory(error):
        _fail(NO_MEMORY, 1, error)
    import tempfile
    import traceback

    details = "".join(traceback.format_exception(error))
    try:
        descriptor, file = tempfile.mkstemp(prefix="otx-", suffix=".log")
        os.write(descriptor, details.encode("utf-8", "backslashreplace"))
        os.close(descriptor)
        place = f"Details: {file}"
    except OSError:
        place = "The details could not be written to a file"
    text = (str(error) or type(error).__name__).splitlines()[0]
    _fail(f"unexpected error: {type(error).__name__}: {text}. {place}", 1, error)
