"""Which job a call of `otx run` is about, and what its data is."""

from __future__ import annotations

import functools
import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.training.loggers import Logger
from otx_seg.verbs.add_data import add_data
from otx_seg.verbs.build import build
from otx_seg.workflow.choice import Choice, choose_job
from otx_seg.workflow.choice import settle as settle_job
from otx_seg.workflow.job import Job, JobRequest, JobState, first_change
from otx_seg.workflow.steps import STEPS, _measured_on
from otx_seg.workspace.run_folder import JOB_STATE

ALL = tuple(step.name for step in STEPS)
MINUTES, WORKERS = "learning_parameters.max_minutes", "learning_parameters.num_workers"
settle = functools.partial(settle_job, seconds=1.0, shown=lambda: nullcontext(Logger()))


def job_before(asked: JobRequest, *done: str) -> JobState:
    """A job in the folder ``job``, of which these steps are done."""
    Path("job").mkdir(exist_ok=True)
    return JobState(Path("job", JOB_STATE), asked, settle(asked).inputs(), {name: {"file": name} for name in done})


def choose(asked: JobRequest, before: JobState | None, named: bool = False, anew: bool = False) -> Choice:
    return choose_job(asked, before, Path("job"), named, anew, settle)


def test_what_is_unfinished_goes_on_with_its_arguments(data: Path, here: Path) -> None:
    before = job_before(JobRequest(DataSpec(data / "train"), parameters={MINUTES: 1.0}), "check", "train")
    for asked in (JobRequest(), JobRequest(DataSpec(data / "train"))):
        choice = choose(asked, before)
        assert (choice.folder, choice.asked) == (Path("job"), before.asked)
        assert choice.state is not None
        assert list(choice.state.done) == ["check", "train"]


def test_what_is_finished_is_about_what_was_asked_for_alone(data: Path, here: Path) -> None:
    tried = job_before(JobRequest(DataSpec(data / "train"), parameters={MINUTES: 1.0}), *ALL)
    in_earnest = choose(JobRequest(DataSpec(data / "train")), tried)
    assert (in_earnest.folder, in_earnest.state, in_earnest.asked.parameters) == (None, None, {})
    # The same again, or nothing at all where nothing else is known, is that job.
    for asked in (tried.asked, JobRequest()):
        assert choose(asked, tried).state is not None
    # Its folder named, it is that job too.
    assert choose(JobRequest(DataSpec(data / "train")), tried, named=True).state is not None


def test_in_a_workspace_other_data_is_for_one_call(data: Path, here: Path) -> None:
    build(data / "train", data / "val", workspace="w")
    other = job_before(JobRequest(DataSpec(data / "val"), workspace=str(here / "w")), *ALL)
    bare = choose(JobRequest(workspace=str(here / "w")), other)
    assert (bare.state, bare.job.data.train_root) == (None, data / "train")


def test_a_job_of_a_workspace_goes_on_from_anywhere(data: Path, here: Path) -> None:
    build(data / "train", data / "val", model="Lite-HRNet-s-mod2", workspace="w")
    before = job_before(JobRequest(workspace=str(here / "w")), "check", "train")
    choice = choose(JobRequest(), before, named=True)
    assert choice.state is not None
    assert (choice.job.workspace, choice.job.plan.template.name) == ((here / "w").resolve(), "Lite-HRNet-s-mod2")


def test_data_of_the_last_job_is_not_looked_for_where_the_call_is_about_other_data(data: Path, here: Path) -> None:
    shutil.copytree(data, here / "gone")
    asked = JobRequest(DataSpec(here / "gone" / "train", here / "gone" / "val"))
    for done in (("check", "train"), ALL):
        before = job_before(asked, *done)
        shutil.move(here / "gone", here / "away")
        choice = choose(JobRequest(DataSpec(data / "train")), before)
        assert (choice.state, choice.job.data.val_root) == (None, None)
        shutil.move(here / "away", here / "gone")


def test_what_learned_nothing_takes_what_was_put_right(data: Path, here: Path) -> None:
    asked = JobRequest(DataSpec(data / "train"), parameters={MINUTES: 1.0})
    before = job_before(asked, "check")
    os.utime(next((data / "train" / "masks").iterdir()), (1, 1))
    for again, named in (
        (JobRequest(), True),
        (JobRequest(), False),
        (JobRequest(DataSpec(asked.data.train_root)), False),
    ):
        choice = choose(again, before, named)
        assert choice.folder == Path("job")
        assert choice.state is not None
        assert (choice.state.done, choice.state.inputs) == ({}, choice.job.inputs())
        assert choice.asked.parameters == {MINUTES: 1.0}
    changed = choose(JobRequest(parameters={"learning_parameters.batch_size": 4}), before, named=True)
    assert changed.asked.parameters == {MINUTES: 1.0, "learning_parameters.batch_size": 4}
    before.done["train"] = {"file": "train"}
    with pytest.raises(UsageError, match=r"the files of the train data have changed"):
        choose(JobRequest(), before, named=True)


def test_other_data_that_is_named_begins_without_what_was(data: Path, here: Path) -> None:
    before = job_before(JobRequest(DataSpec(data / "train", data / "val"), seed=3))
    choice = choose(JobRequest(DataSpec(data / "val")), before, named=True)
    assert (choice.folder, choice.asked) == (Path("job"), JobRequest(DataSpec(data / "val")))


def test_other_test_data_costs_no_training(data: Path, here: Path) -> None:
    shutil.copytree(data / "val", here / "test")
    before = job_before(JobRequest(DataSpec(data / "train", test_root=here / "test")), *ALL)
    os.utime(next((here / "test" / "masks").iterdir()), (1, 1))
    choice = choose(JobRequest(), before, named=True)
    assert choice.state is not None
    assert list(choice.state.done) == ["train"]
    assert choice.state.inputs == choice.job.inputs()


def test_a_job_without_a_workspace_stays_without_one(data: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = job_before(JobRequest(DataSpec(data / "train"), workspace=""), "check", "train")
    before.file = before.file.resolve()
    build(data / "train", model="SegNext-t", workspace="w")
    monkeypatch.chdir("w")
    assert choose(JobRequest(), before, named=True).state is not None


def test_a_workspace_that_was_moved(data: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(data / "train", workspace="old")
    before = job_before(JobRequest(workspace=str(here / "old")), "check", "train")
    before.file = before.file.resolve()
    shutil.move("old", "new")
    monkeypatch.chdir("new")
    assert choose(JobRequest(), before).state is not None
    with pytest.raises(UsageError, match=r"old: is not a workspace"):
        choose(JobRequest(), before, named=True)  # nothing says that it is this one now
    before.file = here / "new" / "outputs" / "job" / JOB_STATE
    monkeypatch.chdir(here)
    assert choose(JobRequest(), before, named=True).state is not None


def test_what_begins_anew_takes_the_place_of_its_like_alone(data: Path, here: Path) -> None:
    before = job_before(JobRequest(DataSpec(data / "train"), parameters={MINUTES: 1.0}), *ALL)
    again = choose(JobRequest(), before, anew=True)
    assert (again.folder, again.state, again.asked.parameters) == (Path("job"), None, {MINUTES: 1.0})
    same_data = choose(JobRequest(DataSpec(data / "train")), before, anew=True)
    assert (same_data.folder, same_data.asked.parameters) == (Path("job"), {})
    assert choose(JobRequest(DataSpec(data / "val")), before, anew=True).folder is None
    assert choose(JobRequest(DataSpec(data / "val")), before, named=True, anew=True).folder == Path("job")
    # The advice after a training that diverged.
    rate = {"learning_parameters.learning_rate": 0.001}
    slower = choose(JobRequest(parameters=rate), before, named=True, anew=True)
    assert (slower.job.data.train_root, slower.asked.parameters) == (data / "train", {MINUTES: 1.0, **rate})


@pytest.mark.parametrize("template", [None, "Lite-HRNet-s-mod2"])
def test_loading_processes_may_change_on_the_way(data: Path, here: Path, template: str | None) -> None:
    before = job_before(JobRequest(DataSpec(data / "train"), template=template), "check", "train")
    choice = choose(JobRequest(parameters={WORKERS: 0}), before, named=True)
    assert choice.state is not None
    assert choice.job.free_parameters[WORKERS] == 0


def in_workspace(asked: JobRequest) -> Job:
    """The job in the workspace ``w`` that was asked for."""
    return settle(JobRequest(**{**vars(asked), "workspace": "w"}))


def test_a_job_is_measured_on_its_own_data(here: Path, drawn_data: Path, data: Path) -> None:
    build(drawn_data / "train", drawn_data / "val", workspace="w")
    assert in_workspace(JobRequest()).data.test_root == drawn_data / "val"
    assert in_workspace(JobRequest(DataSpec(val_root=data / "val"))).data.test_root == data / "val"
    assert in_workspace(JobRequest(DataSpec(data / "train"))).data.test_root == drawn_data / "val"
    assert in_workspace(JobRequest(DataSpec(test_root=data / "train"))).data.test_root == data / "train"
    build(test_data_roots=data / "val", workspace="w")
    assert in_workspace(JobRequest(DataSpec(val_root=data / "train"))).data.test_root == data / "val"


def test_data_that_was_added_is_another_input(here: Path, drawn_data: Path, data: Path) -> None:
    build(data / "train", data / "val", workspace="w")
    before = in_workspace(JobRequest()).inputs()
    shutil.copytree(drawn_data / "train", "more")
    add_data("more", workspace="w")
    now = json.loads(json.dumps(in_workspace(JobRequest()).inputs()))
    assert first_change(before, now).startswith("data added as more was")
    assert now["folders"]["data added as more"] == str((here / "more").resolve())
    shutil.copy(next((data / "val" / "images").iterdir()), "more/images/new.png")
    changed = first_change(now, in_workspace(JobRequest()).inputs())
    assert changed == "the files of the data added as more have changed"


def test_a_test_subset_is_for_measuring(here: Path, drawn_data: Path) -> None:
    whole = here / "whole"
    shutil.copytree(drawn_data, whole)
    shutil.copytree(drawn_data / "val", whole / "test")
    job = settle(JobRequest(DataSpec(whole)))
    assert job.data.test_root == whole
    assert {Path(sample.image).parts[-3] for sample in _measured_on(job).samples} == {"test"}
    assert settle(JobRequest(DataSpec(drawn_data))).data.test_root is None
