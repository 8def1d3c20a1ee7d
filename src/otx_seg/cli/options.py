"""Options that several verbs share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from otx_seg.label_maps import shipped_label_maps

Decorated = Callable[..., Any]
Decorator = Callable[[Decorated], Decorated]


class ValueNeeded(click.Choice[str]):
    """A choice that notices a missing value: the next option is not the value."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if str(value).startswith("-"):
            *others, last = self.choices
            self.fail(f"needs a value: {', '.join(others)} or {last}; not {value!r}", param, ctx)
        return super().convert(value, param, ctx)


class TemplateName(click.types.StringParamType):
    """The name of a shipped template, which shells complete, or its id or a file."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from otx_seg.template import find_templates

        typed = incomplete.lower()
        fitting = [item for item in find_templates() if item.name.lower().startswith(typed)]
        if not fitting:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(item.name, help=item.summary) for item in fitting]


template_argument = click.argument("template", required=False, type=TemplateName())


def together(*options: Decorator) -> Decorator:
    """Several options as one, in this order."""
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(options), command)


def weights_option(kinds: str) -> Decorator:
    """``--load-weights`` for files of these kinds."""
    return click.option(
        "--load-weights",
        metavar="FILE",
        help=f"The model: {kinds}; default: the last one trained in the workspace.",
    )


def several_weights_option(kinds: str, several: str = "Several: the mean of their probabilities.") -> Decorator:
    """``--load-weights`` for files of these kinds, as often as there are models; `several` says what these do."""
    return click.option(
        "--load-weights",
        metavar="FILE",
        multiple=True,
        callback=lambda context, parameter, files: (files[0] if len(files) == 1 else list(files)) if files else None,
        help=f"The model: {kinds}; default: the last one trained in the workspace. {several}",
    )


labels_option = click.option(
    "--labels",
    metavar="A,B,...",
    help="Names of the labels in the order of the model's outputs, for a model of another tool without labels.",
)
workspace_option = click.option(
    "--workspace",
    metavar="FOLDER",
    help="A folder made by `otx build`, for missing arguments; default: the current folder, if it is a workspace.",
)
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing result in the output folder.")
output_options = together(
    click.option("-o", "--output", metavar="FOLDER", help="Output folder; default: a new one in the workspace."),
    overwrite_option,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of every random number (default 42)."
)
scales_option = click.option(
    "--scales",
    metavar="A,B,...",
    help="Factors of the input size at which a .pth looks whose network mixes several, such as HRNet-W48-MS-OCR's; "
    "default: those of its template.",
)
path_options = together(
    click.option(
        "--include",
        metavar="PATTERN",
        multiple=True,
        help="Take only images whose path below the folder matches, such as 'day1/*' (in quotes; * stands for any "
        "text). May be given several times.",
    ),
    click.option(
        "--exclude", metavar="PATTERN", multiple=True, help="Leave such images out; may be given several times."
    ),
)
whole_image_options = together(
    click.option(
        "--sliding-window",
        metavar="HxW",
        help="Cut each image into overlapping windows of this size in pixels instead of resizing it as a whole.",
    ),
    click.option(
        "--overlap", metavar="R", type=float, help="Overlap of neighbouring windows as a share, 0 to below 1.  [0.25]"
    ),
    click.option(
        "--tta",
        metavar="[VIEWS]",
        is_flag=False,
        flag_value="flip",
        help="Test-time augmentation: average with the mirror image (flip, also without VIEWS), with other scales "
        "(1.25,1.5), or with both (flip,1.25,1.5).",
    ),
)


def _names_of_modules(package: str) -> click.Choice[str]:
    """A choice among the modules of a package, which are not imported."""
    return click.Choice(sorted(path.stem for path in (Path(__file__).parents[1] / package).glob("[a-z]*.py")))


data_format_option = click.option(
    "--data-format",
    type=_names_of_modules("formats"),
    metavar="NAME",
    help="Format of the labelled data, if it is not recognised; `otx convert --help` lists the formats.",
)
label_map_option = click.option(
    "--label-map",
    metavar="FILE",
    help="YAML file with a line 'old label: new label' or 'old label: ignore' for each label of the data, or one of "
    + ", ".join(shipped_label_maps())
    + ".",
)
tracker_option = click.option(
    "--tracker",
    "trackers",
    type=_names_of_modules("training/trackers"),
    multiple=True,
    help="Show the training in this program as well: losses, scores, pictures, report. May be given several times; "
    "needs otx-seg[NAME]. Offline, it writes to trackers/NAME of the run, to be sent later.",
)


def annotation_options(*subsets: str) -> Decorator:
    """How labelled data is read: ``--train-ann-files`` and the like for these subsets, ``--data-format`` and
    ``--label-map``.
    """
    called = {"train": "training", "val": "validation", "test": "test"}
    files = (
        click.option(
            f"--{subset}-ann-files",
            metavar="FILE",
            help=f"COCO file that describes the {called[subset]} data, if it is not in the folder.",
        )
        for subset in subsets
    )
    return together(*files, data_format_option, label_map_option)
