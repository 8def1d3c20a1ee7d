"""Trackers that `--tracker` names: each is a file of this package, called like it, and so is the extra it needs."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from otx_seg.catalogue import nearest
from otx_seg.errors import UsageError
from otx_seg.telemetry import switch_off_in_trackers
from otx_seg.training.loggers import Logger, MayFail
from otx_seg.training.tracked_run import TrackedRun

logger = logging.getLogger(__name__)


def tracker_names() -> list[str]:
    """Every tracker; none is imported."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def check_trackers(names: Iterable[str]) -> None:
    """
    Raises:
        UsageError: there is no tracker of a name, or what it needs is not installed.
    """
    for name in names:
        _class_of(name)


def _class_of(name: str) -> type[Any]:
    """The class of a tracker, whose constructor takes the folder to write to. Raises UsageError, see above."""
    if name not in tracker_names():
        raise UsageError(f"--tracker {name}: unknown; {nearest(name, tracker_names())}")
    switch_off_in_trackers()
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except ImportError as error:
        raise UsageError(f"--tracker {name} is not installed; install it: pip install 'otx-seg[{name}]'") from error
    found: type[Any] = getattr(module, name.title().replace("_", ""))
    return found


def open_trackers(asked: Iterable[str], folder: Path, resumed: bool) -> list[Logger]:
    """The trackers that are asked for, each with a folder in `folder`. Raises UsageError as `check_trackers` does.

    Args:
        resumed: whether the training resumes: with the trackers it had as well, if they are installed.
    """
    opened = {name: _class_of(name) for name in asked}
    for name in tracker_names() if resumed else ():
        if name not in opened and (folder / name).is_dir():
            try:
                opened[name] = _class_of(name)
            except UsageError as error:
                logger.warning("the run resumes without one of its trackers: %s", error)
    return [MayFail(f"the tracker {name}", TrackedRun(opened[name](folder / name))) for name in opened]
