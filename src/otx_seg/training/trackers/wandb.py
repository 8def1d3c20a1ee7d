"""Weights & Biases; without an API key, or a server that answers, its offline mode."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wandb
from accelerate.tracking import WandBTracker
from numpy.typing import NDArray

from otx_seg.training.tracked_run import PROJECT, Tracker, answers, tell_offline, tell_page

_LONGEST_WAIT_S = 60.0  # for a server that answered when it was asked


class Wandb(Tracker):
    """Sends a run, or keeps it in the folder."""

    def begin(self, step: int, run_id: str | None) -> str:
        run_id = run_id or uuid.uuid4().hex
        mode, offline = os.environ.get("WANDB_MODE"), ""
        if mode is None:
            offline = _why_offline()
            mode = "offline" if offline else "online"
        self.carrier = WandBTracker(
            os.environ.get("WANDB_PROJECT", PROJECT),
            id=run_id,
            name=self.title,
            dir=str(self.folder),
            resume="allow",
            mode=mode,
            settings=_settings(),
        )
        self.carrier.start()
        if offline:
            folder = Path(self.carrier.run.dir).parent
            tell_offline("wandb", offline, folder, f"to send it: {shlex.join(('wandb', 'sync', str(folder)))}")
        elif mode == "online":
            tell_page("wandb", self.carrier.run.url)
        return run_id

    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        self.carrier.log_images({name: [pixels]}, step=step)

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        self.carrier.log_table(name, list(columns), [list(row) for row in rows], step=step)

    def add_file(self, path: Path) -> None:
        self.carrier.run.save(path, base_path=path.parent, policy="now")

    def end(self, finished: bool) -> None:
        self.carrier.run.finish(exit_code=0 if finished else 1)


def _settings() -> wandb.Settings:
    """Nothing is sent but what the training reports: no code, no output, no facts about the machine."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_job_creation=True,
        save_code=False,
        symlink=False,  # what is sent later has to be whole
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=_LONGEST_WAIT_S,
        finish_timeout=_LONGEST_WAIT_S,
    )


def _why_offline() -> str:
    """Why nothing can be sent; empty if it can."""
    server = wandb.setup(wandb.Settings(silent=True)).settings.base_url
    if not wandb.login(prompt=False, verify=False):
        return "there is no API key (wandb login)"
    return "" if answers(server) else f"{server} does not answer"
