"""ClearML; where it is not set up, or its server does not answer, its offline mode."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import clearml
import numpy as np
from accelerate.tracking import ClearMLTracker
from clearml.backend_api import Session
from clearml.backend_api.session.defs import ENV_ACCESS_KEY, ENV_AUTH_TOKEN, ENV_OFFLINE_MODE
from clearml.config import config_obj
from numpy.typing import NDArray

from otx_seg.training.tracked_run import PROJECT, Tracker, answers, tell_offline, tell_page

_WATCHED = (
    *("matplotlib", "tensorflow", "tensorboard", "pytorch", "xgboost", "scikit", "fastai", "lightgbm", "hydra"),
    *("detect_repository", "tfdefines", "joblib", "megengine", "catboost", "gradio", "jsonargparse"),
)
"""What ClearML would otherwise record by itself: weights, figures, the code and its changes."""

_CACHE = "CLEARML_CACHE_DIR"


class Clearml(Tracker):
    """Reports a task."""

    def begin(self, step: int, run_id: str | None) -> str:
        offline = _why_offline()
        self._cache = os.environ.get(_CACHE)
        if offline:
            os.environ[_CACHE] = str(self.folder)  # sessions are below
            clearml.Task.set_offline(True)
        goes_on = None if offline or run_id is None or run_id.startswith("offline") else run_id
        self.carrier = ClearMLTracker(
            PROJECT,
            task_name=self.title,
            # Task.init continues where a task ended; the number stands for steps to add.
            **({"reuse_last_task_id": goes_on, "continue_last_task": 0} if goes_on else {"reuse_last_task_id": False}),
            auto_connect_frameworks=dict.fromkeys(_WATCHED, False),
            auto_connect_arg_parser=False,
            auto_connect_streams=False,
            auto_resource_monitoring=False,
        )
        with redirect_stdout(io.StringIO()):  # it prints, and what the command prints may be read by programs
            self.carrier.start()
        if offline:
            session = Path(self.carrier.task.get_offline_mode_folder())
            call = f"import clearml; clearml.Task.import_offline_session('{session}.zip')"
            send = f'to send it: python -c "{call}"'
            tell_offline("clearml", offline, session, send)
        else:
            tell_page("clearml", self.carrier.task.get_output_log_web_page())
        return str(self.carrier.task.id)

    def show_parameters(self, values: dict[str, Any]) -> None:
        self.carrier.task.connect(dict(values), name="Training")  # accelerate's would be a text, not a table

    def add_values(self, values: dict[str, float], step: int) -> None:
        reports = self.carrier.task.get_logger()
        for name, value in values.items():
            title, series = _split(name)  # accelerate's would have a diagram for each label
            reports.report_scalar(title, series, value, step)

    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        title, series = _split(name)
        self.carrier.task.get_logger().report_image(title, series, step, image=pixels)

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        table = [list(columns), *map(list, rows)]
        self.carrier.task.get_logger().report_table(name, name, step, table_plot=table)

    def add_file(self, path: Path) -> None:
        self.carrier.task.upload_artifact("report", path)

    def end(self, finished: bool) -> None:
        if not finished and not clearml.Task.is_offline():
            self.carrier.task.mark_failed(force=True, status_message="the training failed or was interrupted")
        with redirect_stdout(io.StringIO()):
            self.carrier.finish()
        # Offline mode stays for this process: to leave it, ClearML would wait for a server.
        os.environ.pop(_CACHE, None)
        if self._cache is not None:
            os.environ[_CACHE] = self._cache


def _split(name: str) -> tuple[str, str]:
    """The title of a diagram, and the curve in it."""
    title, _, series = name.partition("/")
    return title, series or title


def _why_offline() -> str:
    """Why nothing can be sent; empty if it can."""
    if ENV_OFFLINE_MODE.get():
        return "offline mode is set"
    if not (ENV_ACCESS_KEY.get() or ENV_AUTH_TOKEN.get() or config_obj.get("api.credentials.access_key", None)):
        return "ClearML is not set up (clearml-init)"
    server = Session.get_api_server_host()
    return "" if answers(server) else f"{server} does not answer"
