"""MLflow: the server that its settings name; without one, or where it does not answer, a file store in the run."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH
from numpy.typing import NDArray

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import read_text
from otx_seg.training.tracked_run import PROJECT, Tracker, answers, tell_offline
from otx_seg.workspace.atomic import write_text

_NAME = re.compile(r"[^\w.\- ]")  # what names of curves may not have; a slash separates group and name
_PICTURE_NAME = re.compile(r"[^a-zA-Z0-9_.\- ]")
_LONGEST_NAME = 100  # characters, of what becomes the name of a file
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""How long a server that is lost holds up the training, unless the user has said otherwise; its own are minutes."""


class Mlflow(Tracker):
    """Keeps a run in MLflow.

    It uses MLflow's client: accelerate's tracker would change the active run and the tracking URI of the whole program.
    """

    def begin(self, step: int, run_id: str | None) -> str:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self.client = mlflow.MlflowClient(self._open_store())
        self._names: dict[str, str] = {}
        self.run_id = self._found(run_id) or self._new_run()
        self.client.update_run(self.run_id, status="RUNNING")
        return self.run_id

    def _open_store(self) -> str:
        """The tracking URI."""
        uri: str = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else ""
        if uri and answers(uri):
            return uri
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        _move_store(self.folder)
        show = shlex.join(("mlflow", "ui", "--backend-store-uri", str(self.folder)))
        show = f"to look at it: MLFLOW_ALLOW_FILE_STORE=true {show}"
        tell_offline("mlflow", f"{uri} does not answer" if uri else "there is no tracking URI", self.folder, show)
        return self.folder.as_uri()

    def _found(self, run_id: str | None) -> str | None:
        """The run, if it is in this store."""
        if run_id is None:
            return None
        try:
            self.client.get_run(run_id)
        except MlflowException:
            return None
        return run_id

    def _new_run(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self.client.get_experiment_by_name(name)
        within = self.client.create_experiment(name) if experiment is None else experiment.experiment_id
        run_id: str = self.client.create_run(within, run_name=self.title).info.run_id
        return run_id

    def show_parameters(self, values: dict[str, Any]) -> None:
        known = self.client.get_run(self.run_id).data.params  # which cannot be changed
        params = [Param(name, str(value)[:MAX_PARAM_VAL_LENGTH]) for name, value in values.items() if name not in known]
        for first in range(0, len(params), MAX_PARAMS_TAGS_PER_BATCH):
            self.client.log_batch(self.run_id, params=params[first : first + MAX_PARAMS_TAGS_PER_BATCH])

    def add_values(self, values: dict[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(self._named(name, _NAME), value, now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        self.client.log_image(self.run_id, pixels, key=self._named(name, _PICTURE_NAME), step=step)

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        text = io.StringIO()
        csv.writer(text).writerows((columns, *rows))
        self.client.log_text(self.run_id, text.getvalue(), f"{name}.csv")

    def add_file(self, path: Path) -> None:
        self.client.log_artifact(self.run_id, str(path))

    def end(self, finished: bool) -> None:
        self.client.set_terminated(self.run_id, "FINISHED" if finished else "FAILED")

    def _named(self, name: str, forbidden: re.Pattern[str]) -> str:
        """A name as MLflow takes it, different from those of other names."""
        group, slash, rest = name.partition("/")
        plain = forbidden.sub("_", group) + slash + forbidden.sub("_", rest)[:_LONGEST_NAME].strip(" .")
        plain = plain if rest.strip(" .") or not slash else f"{plain}_"
        number, free = 2, plain
        while self._names.setdefault(free, name) != name:
            number, free = number + 1, f"{plain} {number}"
        return free


def _move_store(folder: Path) -> None:
    """Let the files of a store say where it is now: they hold paths, and a run's folder may be moved."""
    for file in folder.glob("*/meta.yaml"):
        _set_path(file, "artifact_location", file.parent)
    for file in folder.glob("*/*/meta.yaml"):
        _set_path(file, "artifact_uri", file.parent / "artifacts")


def _set_path(file: Path, key: str, path: Path) -> None:
    lines = read_text(file, UsageError).splitlines()
    kept = [f"{key}: {path.as_uri()}" if line.startswith(f"{key}:") else line for line in lines]
    write_text(file, "\n".join(kept) + "\n")
