"""The settings of a search: checked at the start, recorded for a resume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.processes import world_size
from otx_seg.template import Template, from_dict
from otx_seg.workspace.atomic import write_json
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import RunFolder

DEFAULT_RATIO = 1.1


@dataclass(frozen=True)
class Settings:
    """How a search is made.

    Attributes:
        ratio: time of search and final training together as a multiple of that of the training alone, above 1.
        parallel: trials at once; None: one for each GPU, one on a CPU.
        asked: whether somebody asked for this ratio; else it may become what two trials take.
    """

    ratio: float
    parallel: int | None
    asked: bool = True


@dataclass(frozen=True)
class _Recorded:
    """What the file of a search holds."""

    ratio: float
    parallel: int | None
    template: dict[str, Any]


def check_settings(ratio: float | None, parallel: int | None) -> Settings:
    """
    Raises:
        UsageError: numbers that make no sense, or a search in a torchrun job.
    """
    if world_size() > 1:
        raise UsageError(
            "--enable-hpo works in one process, or starts its own, one for each GPU or as many as --hpo-parallel says: "
            "start it without torchrun, --gpus, --rdzv-endpoint, --base-rank and --world-size; CUDA_VISIBLE_DEVICES "
            "chooses among the GPUs"
        )
    asked, ratio = ratio is not None, DEFAULT_RATIO if ratio is None else ratio
    if not 1.0 < ratio < math.inf:
        raise UsageError(
            f"--hpo-time-ratio {ratio:g}: search and final training together take longer than the training alone; give "
            "a number above 1"
        )
    if parallel is not None and parallel < 1:
        raise UsageError(f"--hpo-parallel {parallel}: at least one trial runs at a time")
    return Settings(ratio, parallel, asked)


def write_settings(run: RunFolder, settings: Settings, template: Template) -> None:
    """Record a search, with the template it begins with."""
    content = {"ratio": settings.ratio, "parallel": settings.parallel, "template": template.as_dict()}
    write_json(run.search_settings, content)


def read_settings(run: RunFolder) -> tuple[Settings, Template]:
    """How a recorded search is made, and the template it began with.

    Raises:
        UsageError: there is none, or it was damaged.
    """
    recorded = read_own(run.search_settings, _Recorded, "without it the search cannot continue: start a new run")
    return check_settings(recorded.ratio, recorded.parallel), from_dict(recorded.template, str(run.search_settings))
