"""What MLflow's client reads of a file store, also after it was moved."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from brief_training import CrashAt, train_briefly
from tracked_story import CURVES, PARAMETERS, STEPS, VALIDATED, tell_story

from otx_seg.training.tracked_run import TrackedRun

if TYPE_CHECKING:
    from otx_seg.training.trackers.mlflow import Mlflow


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> type[Mlflow]:
    """The class of the tracker, without the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'otx-seg[mlflow]'")
    from otx_seg.training.trackers.mlflow import Mlflow

    return Mlflow


def client_of(store: Path) -> Any:
    import mlflow

    return mlflow.MlflowClient(store.as_uri())


def artifacts(client: Any, run: str, path: str | None = None) -> list[str]:
    return [file.path for file in client.list_artifacts(run, path)]


def test_a_resumed_training_is_one_run(opened: type[Mlflow], tmp_path: Path, messages: Any) -> None:
    folder = tmp_path / "job" / "train" / "trackers" / "mlflow"
    report = tell_story(lambda: opened(folder), tmp_path)
    store = shutil.move(folder, tmp_path / "moved")
    tracker = opened(Path(store))
    tracker.begin(30, json.loads((tmp_path / "moved" / "run.json").read_text())["run_id"])
    client = client_of(tmp_path / "moved")
    (experiment,) = [one for one in client.search_experiments() if one.name == "otx-seg"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "job/train"
    assert run.data.params == {name: str(value) for name, value in PARAMETERS.items()}

    def points(name: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]

    assert points("losses/loss") == points("losses/aux_0 CrossEntropy") == STEPS
    for name, value in CURVES.items():
        plain = name.replace("a/b | <c>", "a_b _ _c_")
        assert points(plain) == [(at, pytest.approx(value)) for at in VALIDATED]
    assert points("kept network/Dice Average") == [(30, pytest.approx(0.9))]
    files = artifacts(client, run.info.run_id)
    assert {"report.html", "confusion.csv", "images"} <= set(files)
    copied = Path(client.download_artifacts(run.info.run_id, "report.html", str(tmp_path)))
    assert copied.read_text() == report.read_text()
    table = Path(client.download_artifacts(run.info.run_id, "confusion.csv", str(tmp_path))).read_text()
    assert table.splitlines()[:2] == ["true,background,grüne Wiese,a/b | <c>", "background,2,1,0"]
    pictures = [name for name in artifacts(client, run.info.run_id, "images") if name.endswith(".png")]
    assert len([name for name in pictures if "a_b c.jpg" in name]) == 3
    assert len([name for name in pictures if "confusion matrix" in name]) == 1
    assert (
        messages.text.count(f"tracker mlflow: there is no tracking URI, so it writes to {folder}; to look at it: ") == 2
    )
    tracker.end(True)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_one_that_is_interrupted_has_failed(opened: type[Mlflow], tmp_path: Path) -> None:
    run = TrackedRun(opened(tmp_path / "store"))
    run.on_begin(0)
    client = client_of(tmp_path / "store")
    run_id = json.loads((tmp_path / "store" / "run.json").read_text())["run_id"]
    assert client.get_run(run_id).info.status == "RUNNING"
    run.on_end(None)
    assert client.get_run(run_id).info.status == "FAILED"


def test_names_that_become_the_same_stay_apart(opened: type[Mlflow], tmp_path: Path) -> None:
    tracker = opened(tmp_path / "store")
    run_id = tracker.begin(0, None)
    names = ["Dice/a/b", "Dice/a_b", "Dice/..", "Dice/.", "Dice/a%", "Dice/" + "x" * 300, "Dice/ä", "x"]
    for _ in range(2):
        tracker.add_values({name: float(index) for index, name in enumerate(names)}, 1)
        tracker.add_picture("image/ä", np.zeros((2, 2, 3), np.uint8), 1)
    found = client_of(tmp_path / "store").get_run(run_id).data.metrics
    assert sorted(found.values()) == [float(index) for index in range(len(names))]
    assert found["Dice/ä"] == 6.0


def test_a_server_that_does_not_answer_is_told_of(
    opened: type[Mlflow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    tracker = opened(tmp_path / "store")
    tracker.begin(0, None)
    tracker.end(True)
    assert "tracker mlflow: http://127.0.0.1:9 does not answer, so it writes to " in messages.text
    assert "MLFLOW_TRACKING_URI" in os.environ


def test_a_store_that_the_user_names_is_used(
    opened: type[Mlflow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, messages: Any
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "theirs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "bolts")
    run_id = opened(tmp_path / "own").begin(0, None)
    client = client_of(tmp_path / "theirs")
    assert client.get_experiment(client.get_run(run_id).info.experiment_id).name == "bolts"
    assert messages.text == ""


def test_it_leaves_nothing_in_the_home_folder_and_no_setting_behind(opened: type[Mlflow], tmp_path: Path) -> None:
    code = (
        "from otx_seg.training.trackers import check_trackers\n"
        "check_trackers(['mlflow'])\n"
        "from pathlib import Path\n"
        "from otx_seg.training.trackers.mlflow import Mlflow\n"
        f"tracker = Mlflow(Path({str(tmp_path / 'store')!r}))\n"
        "tracker.begin(0, None)\n"
        "tracker.end(True)\n"
        "import mlflow\n"
        "assert not mlflow.is_tracking_uri_set() and mlflow.active_run() is None\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    variables = {"HOME": str(home), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    variables |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    assert not [path for path in home.rglob("*") if "mlflow" in path.name]


def test_a_training_goes_on_in_another_folder(opened: type[Mlflow], drawn_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CrashAt.CrashError):
        train_briefly(drawn_data, tmp_path / "crashed", trackers=["mlflow"], loggers=[CrashAt(5)])
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.clear()  # as in a process of its own
    train_briefly(drawn_data, tmp_path / "moved", resume_from=tmp_path / "crashed")
    shutil.rmtree(tmp_path / "crashed")
    store = tmp_path / "moved" / "trackers" / "mlflow"
    client, run_id = client_of(store), json.loads((store / "run.json").read_text())["run_id"]
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_parameters.batch_size"] == "3"
    assert run.data.params["training images"] == "8"
    assert [point.step for point in client.get_metric_history(run_id, "losses/loss")] == [1]
    assert [point.step for point in client.get_metric_history(run_id, "scores/mDice")] == [3, 6, 9]
    assert "report.html" in artifacts(client, run_id)
    assert Path(client.download_artifacts(run_id, "confusion.csv", str(tmp_path))).exists()
