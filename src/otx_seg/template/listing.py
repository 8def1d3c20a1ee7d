"""Finds template files and reads who they are, quickly: neither pydantic nor torch is imported here.

`otx find` and shell completion need the names of all templates in a few milliseconds; reading a template
completely, with validation, is `otx_seg.template.load`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import yaml

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError

_YamlLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class TemplateSummary:
    """What a listing shows of a template.

    Attributes:
        family: the networks that it belongs to, such as ``Lite-HRNet``.
        gigaflops: multiply-adds of one 512x512 image with 2 labels, in billions.
        parameter_count: weights of the network with 2 labels.
        size_mb: those weights as float32, in units of 10^6 bytes.
        output_stride: pixels of the image from one position of the logits to the next.
    """

    name: str
    id: str
    family: str
    category: str
    default: bool
    summary: str
    gigaflops: float
    parameter_count: int
    size_mb: float
    output_stride: float
    path: Path


def templates_folder() -> Path:
    """The folder of shipped templates: inside the installed package, or the checkout's for an editable install."""
    installed = Path(__file__).parents[1] / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "templates"


def find_templates() -> list[TemplateSummary]:
    """All shipped templates, smallest network first.

    Raises:
        UsageError: one of them does not begin with who it is.
    """
    return list(_templates_in(templates_folder()))


@functools.cache  # each template that extends another one asks for all
def _templates_in(folder: Path) -> tuple[TemplateSummary, ...]:
    found = []
    for path in sorted(folder.glob("*.yaml")):
        # A shipped template begins with who it is; parsing its network too would take most of a listing's time.
        head = path.read_text(encoding="utf-8").partition("\nmodel:")[0]
        content = yaml.load(head, Loader=_YamlLoader)
        names = [name for name in TemplateSummary.__dataclass_fields__ if name != "path"]
        missing = [name for name in names if name not in content]
        if missing:
            raise UsageError(f"{path}: a shipped template needs these keys above `model`: {', '.join(missing)}")
        found.append(TemplateSummary(path=path, **{name: content[name] for name in names}))
    return tuple(sorted(found, key=lambda template: template.gigaflops))


def find_recipes() -> dict[str, Path]:
    """The parts of templates that several families share, by name."""
    return {path.stem: path for path in sorted(templates_folder().glob("recipes/*.yaml"))}


def find_template_file(name: str | Path) -> Path:
    """The file of a template, by name, id (both in any case) or path.

    Raises:
        UsageError: nothing fits; the message names the nearest known template.
    """
    if isinstance(name, Path) or name.lower().endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"{name}: there is no such template file")
        return Path(name)
    summaries = find_templates()
    for summary in summaries:
        if name.lower() in (summary.name.lower(), summary.id.lower()):
            return summary.path
    raise UsageError(f"unknown template {name!r}; {nearest(name, [summary.name for summary in summaries])}")


def default_template() -> str:
    """The name of the template that is used when none is given."""
    return next(summary.name for summary in find_templates() if summary.default)
