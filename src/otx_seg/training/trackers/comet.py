"""Comet; without an API key, or a server that answers, its offline mode."""

from __future__ import annotations

import logging
import os
import shlex
import uuid
from collections.abc import Sequence
from pathlib import Path

import comet_ml
import numpy as np
from accelerate.tracking import CometMLTracker
from comet_ml.config import get_config
from numpy.typing import NDArray
from PIL import Image

from otx_seg.training.tracked_run import PROJECT, Tracker, answers, tell_offline, tell_page

logging.getLogger("comet_ml").setLevel(logging.ERROR)  # it says where everything goes; so do we


class Comet(Tracker):
    """Sends an experiment, or keeps it in the folder."""

    def begin(self, step: int, run_id: str | None) -> str:
        offline = _why_offline()
        key = run_id or uuid.uuid4().hex
        # What was kept may never have been sent.
        mode = ("get" if run_id else "create") if offline else "get_or_create"
        self.carrier = CometMLTracker(
            os.environ.get("COMET_PROJECT_NAME", PROJECT),
            online=not offline,
            mode=mode,
            experiment_key=key,
            experiment_config=_settings(self.folder, self.title),
        )
        self.carrier.start()
        if offline:
            tell_offline(
                "comet", offline, self.folder, f"to send it: comet upload {shlex.quote(str(self.folder))}/*.zip"
            )
        else:
            tell_page("comet", self.carrier.writer.url)
        return key

    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        self.carrier.writer.log_image(Image.fromarray(pixels), name=name, step=step)

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        self.carrier.writer.log_table(f"{name}.csv", [list(row) for row in rows], headers=list(columns))

    def add_file(self, path: Path) -> None:
        self.carrier.writer.log_asset(str(path), file_name=path.name)


def _settings(folder: Path, title: str) -> comet_ml.ExperimentConfig:
    """Nothing is sent but what the training reports: no code, no output, no facts about the machine."""
    return comet_ml.ExperimentConfig(
        log_code=False,
        log_graph=False,
        log_git_metadata=False,
        log_git_patch=False,
        log_env_details=False,
        parse_args=False,
        auto_output_logging=False,
        auto_param_logging=False,
        auto_metric_logging=False,
        auto_log_co2=False,
        display_summary_level=0,
        offline_directory=str(folder),
        name=title,
    )


def _why_offline() -> str:
    """Why nothing can be sent; empty if it can."""
    settings = get_config()
    if not settings["comet.api_key"]:
        return "there is no API key (comet login)"
    server = settings["comet.url_override"]
    return "" if answers(server) else f"{server} does not answer"
