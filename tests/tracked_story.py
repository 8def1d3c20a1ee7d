"""A training that crashes and is resumed, as trackers are told of it, and what those have to show then."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from otx_seg.inference.pictures import Picture
from otx_seg.labels import Labels, default_colors
from otx_seg.metrics.confusion import PixelCounts, counts_by_label, scores
from otx_seg.metrics.counted_images import CountedImages
from otx_seg.training.loggers import StepReport, TrainResult, ValidationReport
from otx_seg.training.tracked_run import TrackedRun, Tracker

LABELS = Labels(("background", "grüne Wiese", "a/b | <c>"), default_colors(3), 0)
CONFUSION = torch.tensor([[2, 1, 0], [1, 4, 0], [0, 0, 2]])
FOUND = scores(CONFUSION, LABELS)
COUNTED = CountedImages(LABELS, ("b c.jpg",), PixelCounts(CONFUSION, counts_by_label(CONFUSION)[None]))
PARAMETERS = {"seed": 42, "learning_parameters.batch_size": 8, "labels": ", ".join(LABELS.names), "empty": ""}

IMAGE = np.full((4, 6, 3), 100, np.uint8)
PICTURE = Picture("a/b c.jpg", LABELS, IMAGE, np.ones((4, 6), np.uint8), np.zeros((4, 6), np.uint8))

STEPS = [(1, 1.0), (10, 1.0), (20, 1.0), (30, 3.0)]
"""Of each loss: what is told of step 20 again is not shown again."""

VALIDATED = [10, 20, 30]

CURVES = {
    "Dice/background": 2 / 3,
    "Dice/grüne Wiese": 0.8,
    "Dice/a/b | <c>": 1.0,
    "IoU/grüne Wiese": 4 / 6,
    "scores/Dice Average": 0.9,
    "scores/pixel accuracy": 0.8,
}
"""Of each validation."""


def step(number: int, loss: float) -> StepReport:
    losses = {"loss": loss, "aux_0 CrossEntropy": loss}
    return StepReport(number, 100, 1, number / 100, losses, 0.25, float(number))


def validation(number: int) -> ValidationReport:
    return ValidationReport(number, 2, FOUND, 1.0, 20.0, lambda: (PICTURE,))


def tell_story(opened: Callable[[], Tracker], folder: Path) -> Path:
    """Tell it to a tracker that `opened` opens; the report, whose folder is `folder`."""
    report = folder / "report.html"
    report.write_text("<p>fine</p>")
    crashed = TrackedRun(opened())
    crashed.on_parameters(PARAMETERS)
    crashed.on_begin(0)
    for number in (1, 2, 10, 20):
        crashed.on_step(step(number, 1.0))
        if number in VALIDATED:
            crashed.on_validation(validation(number))
    crashed.on_end(None)
    crashed.on_close()
    again = TrackedRun(opened())
    again.on_parameters({**PARAMETERS, "learning_parameters.batch_size": 4})
    again.on_begin(10)
    for number in (20, 30):
        again.on_step(step(number, 3.0))
        again.on_validation(validation(number))
    again.on_end(replace(TrainResult(Path("w"), FOUND, 2, 2, 30, 1.0, "done"), counted=COUNTED))
    again.on_report(report)
    again.on_close()
    return report


_CODE = """
import logging, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
from accelerate import PartialState
from otx_seg.training import trackers
from tracked_story import tell_story
PartialState(cpu=True)
tell_story(lambda: trackers._class_of({name!r})(Path({folder!r})), Path({output!r}))
"""


def tell_story_elsewhere(name: str, package: str, output: Path, **variables: str) -> tuple[Path, str]:
    """As `tell_story`, to a tracker that changes its process, in a process of its own, where nobody has settings.

    Returns:
        The folder of the tracker, and what was said. The test is skipped where there is no such package.
    """
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'otx-seg[{name}]'")
    folder, home = output / "job" / "train" / "trackers" / name, output / "home"
    home.mkdir()
    path = os.pathsep.join(sys.path)
    everything = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    code = _CODE.format(name=name, folder=str(folder), output=str(output))
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env={**everything, **variables}, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder, done.stderr
