"""The whole job: once for real, interrupted and continued; the rest with steps that only count."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from brief_training import PARAMETERS
from small_network import small_template

from otx_seg.cli.main import main
from otx_seg.datasets import DataSpec
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.template import load
from otx_seg.training.loggers import Logger
from otx_seg.training.loss_guard import DivergedError
from otx_seg.training.out_of_memory import OutOfMemoryError
from otx_seg.training.setup.data import check_data, describe_data, open_data
from otx_seg.training.setup.plan import Plan, Request
from otx_seg.training.stopping import InterruptedRunError
from otx_seg.verbs.build import build
from otx_seg.workflow import run as run_module
from otx_seg.workflow import steps
from otx_seg.workflow.choice import settle
from otx_seg.workflow.job import Job, JobRequest, read_state
from otx_seg.workflow.run import run
from otx_seg.workflow.steps import STEPS, Step, _measured_on
from otx_seg.workspace.run_folder import JOB_STATE, RunFolder

NAMES = [step.name for step in STEPS]


class Counted:
    """Steps that write a file each, and remember that they were at work."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.steps = tuple(Step(step.name, step.title, self.work_of(step.name)) for step in STEPS)

    def work_of(self, name: str) -> Callable[[Job, Any], dict[str, Any]]:
        def work(job: Job, done: Any) -> dict[str, Any]:
            if name in self.failing:
                raise self.failing[name]
            self.done.append(name)
            (job.folder / name).mkdir(exist_ok=True)
            (job.folder / name / "product").touch()
            measured = [
                {"file": f"{model}/product", "size_bytes": 1, "latency_median_s": 1.0}
                for model in ("train", "export", "optimize")
            ]
            scores = {
                "Dice Average": 0.5,
                "mIoU": 0.4,
                "images": 1,
                "size_bytes": 7,
                "template": job.plan.template.name,
            }
            return {"file": f"{name}/product", "models": measured, **scores}

        return work


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    made = Counted()
    monkeypatch.setattr(run_module, "STEPS", made.steps)
    return made


def test_a_failed_job_goes_on_where_it_stopped(counted: Counted, data: Path, here: Path) -> None:
    counted.failing["export"] = OtxError("no room")
    with pytest.raises(
        OtxError, match=r"step 4 of 9, exporting to OpenVINO: no room. .*Resume the whole job with: otx run --output"
    ):
        run(data / "train", data / "val", output="job")
    assert json.loads(Path("job", JOB_STATE).read_text())["stopped"] == {"step": "export", "reason": "no room"}
    counted.failing["export"] = KeyboardInterrupt()
    with pytest.raises(OtxError, match=r"interrupted"):
        run(output="job")
    counted.failing.clear()
    outcome = run(output="job")
    assert counted.done == NAMES
    assert outcome.skipped == ("check", "train", "eval_train")
    assert run(output="job").skipped == tuple(NAMES)
    # A product that is gone is made again, and what was made from it.
    Path("job", "optimize", "product").unlink()
    assert run(output="job").skipped == ("check", "train", "eval_train", "export", "eval_export")
    assert counted.done == NAMES + NAMES[5:]
    # Nothing but the page is made again where that is gone.
    Path("job", "check", "product").unlink()
    assert run(output="job").skipped == tuple(NAMES[1:])


def test_an_interrupted_training_says_how_the_whole_job_goes_on(counted: Counted, data: Path, here: Path) -> None:
    counted.failing["train"] = InterruptedRunError("interrupted; everything is saved", "otx train --resume-from job")
    with pytest.raises(InterruptedRunError) as raised:
        run(data / "train", data / "val", output="my job")
    assert str(raised.value) == (
        "step 2 of 9, training: interrupted; everything is saved. Resume the whole job with: otx run --output 'my job'"
    )
    assert json.loads(Path("my job", JOB_STATE).read_text())["stopped"]["reason"] == "interrupted; everything is saved"


@pytest.mark.parametrize(
    ("error", "way_on"),
    [
        (DataError("a mask is broken"), "Correct this, then resume the whole job with: otx run --output job"),
        (
            DivergedError("the loss is not a number. Lower learning_parameters.learning_rate"),
            "Start the whole job again with: otx run --output job --overwrite params "
            "--learning_parameters.learning_rate=RATE",
        ),
        (
            OutOfMemoryError("memory ran out. Lower learning_parameters.batch_size"),
            "Start the whole job again with: otx run --output job --overwrite params "
            "--learning_parameters.batch_size=IMAGES",
        ),
    ],
)
def test_a_way_on_that_leads_on(counted: Counted, data: Path, here: Path, error: OtxError, way_on: str) -> None:
    counted.failing["train"] = error
    with pytest.raises(type(error)) as raised:
        run(data / "train", data / "val", output="job")
    assert str(raised.value) == f"step 2 of 9, training: {error.what}. {way_on}"


def test_data_that_fails_after_the_training_has_two_ways_on(counted: Counted, data: Path, here: Path) -> None:
    counted.failing["optimize"] = DataError("a disk is missing")
    with pytest.raises(DataError) as raised:
        run(data / "train", data / "val", output="job")
    assert str(raised.value) == (
        "step 6 of 9, quantising to INT8: a disk is missing. Correct this, then resume the whole job with: otx "
        "run --output job; if the training data changes, start it again with: otx run --output job --overwrite"
    )


@pytest.mark.parametrize("error", [DataError("a mask is broken"), KeyboardInterrupt()])
def test_a_job_stays_until_its_successor_has_usable_data(
    counted: Counted, data: Path, here: Path, error: BaseException
) -> None:
    run(data / "train", data / "val", output="job")
    products = sorted(Path("job").rglob("product"))
    counted.failing["check"] = error
    with pytest.raises(OtxError, match=r"step 1 of 9.*The job that is there stays, but for the page of its check; to"):
        run(data / "train", output="job", overwrite=True)
    assert sorted(Path("job").rglob("product")) == products
    counted.failing.clear()
    # The page may be that of the other data now.
    assert run(output="job").skipped == tuple(NAMES[1:])


def test_a_job_that_another_process_has_moved_on_is_left_to_it(
    counted: Counted, data: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted.failing["export"] = OtxError("no room")
    with pytest.raises(OtxError, match=r"no room"):
        run(data / "train", output="job")
    choose = run_module.choose_job

    def slowly(*arguments: Any) -> Any:
        choice = choose(*arguments)
        Path("job", JOB_STATE).write_text("what another process has made of it")
        return choice

    monkeypatch.setattr(run_module, "choose_job", slowly)
    with pytest.raises(UsageError, match=r"job: another otx command has just worked there; give the same command"):
        run(output="job")
    assert Path("job", JOB_STATE).read_text() == "what another process has made of it"


def test_a_job_trains_what_was_settled_when_it_began(data: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"learning_parameters.learning_rate": 0.01}
    made = build(data / "train", data / "val", model="Lite-HRNet-s-mod2", workspace="w")
    job = settle(JobRequest(workspace="w", parameters=given, seed=7), seconds=1.0, shown=lambda: nullcontext(Logger()))
    made.workspace.template.write_text("edited since")
    made.workspace.data.unlink()
    trained: list[Plan] = []

    def note(plan: Plan, *_: Any) -> None:
        trained.append(plan)
        raise OtxError("enough")

    monkeypatch.setattr(steps, "train_planned", note)
    with pytest.raises(OtxError, match=r"enough"):
        STEPS[1].work(job, {})
    (plan,) = trained
    assert (plan.data.train_root, plan.data.val_root, plan.data.test_root) == (
        data / "train",
        data / "val",
        data / "val",
    )
    assert (plan.given, plan.seed, plan.template.name) == (given, 7, "Lite-HRNet-s-mod2")
    assert plan.template_reason.startswith("that of the workspace")


def test_what_begins_anew_keeps_nothing_of_what_was(counted: Counted, data: Path, here: Path) -> None:
    run(data / "train", data / "val", output="job")
    counted.failing["train"] = OtxError("no room")
    with pytest.raises(OtxError, match=r"no room"):
        run(data / "train", output="job", overwrite=True)
    assert [path.parent.name for path in Path("job").rglob("product")] == ["check"]
    Path("job", JOB_STATE).write_text("damaged")
    counted.failing.clear()
    assert run(data / "train", output="job", overwrite=True).skipped == ()


def test_a_finished_job_says_that_it_is(
    counted: Counted, data: Path, here: Path, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otx_seg")
    for _ in range(2):
        run(data / "train", output="job", parameters={"learning_parameters.max_minutes": 1})
    assert "job: already done, with learning_parameters.max_minutes=1; --overwrite starts again" in messages.text


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_workspace_is_no_place_for_a_job(counted: Counted, data: Path, here: Path, overwrite: bool) -> None:
    made = build(data / "train", workspace="w")
    text = made.workspace.template.read_text()
    with pytest.raises(UsageError, match=r"w: is a workspace; choose another --output, such as w/outputs/run"):
        run(workspace="w", output="w", overwrite=overwrite)
    assert made.workspace.template.read_text() == text


def test_the_folder_of_a_training_is_no_place_for_a_job(counted: Counted, data: Path, here: Path) -> None:
    Path("trained", "models").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"trained: already holds a result \(models\)"):
        run(data / "train", output="trained")


def test_a_job_under_a_name_of_its_own_is_the_last_one(counted: Counted, data: Path, here: Path) -> None:
    build(data / "train", workspace="w")
    counted.failing["train"] = OtxError("no room")
    with pytest.raises(OtxError, match=r"no room"):
        run(workspace="w", output="w/outputs/final")
    counted.failing.clear()
    assert run(workspace="w").folder == Path("w/outputs/final")


def test_a_job_about_something_else_is_not_continued(counted: Counted, data: Path, here: Path) -> None:
    run(data / "train", data / "val", output="job")
    with pytest.raises(UsageError, match=r"batch_size was None and is 4; start again with --overwrite"):
        run(output="job", parameters={"learning_parameters.batch_size": 4})
    with pytest.raises(UsageError, match=r"train data was .*train' and is .*val' \(and 1 more\)"):
        run(data / "val", output="job")
    os.utime(data / "train" / "masks" / "0000.png", (1, 1))
    with pytest.raises(UsageError, match=r"the files of the train data have changed"):
        run(output="job")
    assert counted.done == NAMES
    assert run(output="job", overwrite=True).skipped == ()
    assert counted.done == NAMES * 2
    shutil.rmtree(data / "val")
    with pytest.raises(DataError, match=r"val: no such folder \(so says the job in job; name other --train-data-roots"):
        run(output="job")


def test_without_an_output_the_last_job_counts(
    counted: Counted, data: Path, here: Path, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "otx_seg")
    first = run(data / "train", data / "val")
    assert first.folder.parent == Path("otx-workspace-SEGMENTATION/outputs")
    assert run(data / "train", data / "val").folder == run().folder == first.folder
    assert counted.done == NAMES
    other = run(data / "val", data / "val")
    assert other.folder != first.folder
    assert "this is a new one" in messages.text
    state = read_state(other.folder)
    assert state is not None
    assert state.asked.data.val_root == data / "val"


def test_in_a_workspace_no_arguments_are_needed(counted: Counted, data: Path, here: Path) -> None:
    made = build(data / "train", data / "val", model="Lite-HRNet-s-mod2", workspace="w")
    first = run(workspace="w")
    assert first.folder.parent == made.workspace.outputs
    assert first.template == "Lite-HRNet-s-mod2"
    assert run(workspace="w").folder == first.folder
    text = made.workspace.template.read_text()
    made.workspace.template.write_text(text.replace("batch_size: auto\n", "batch_size: 4\n", 1))
    second = run(workspace="w")
    assert second.folder != first.folder
    counted.failing["deploy"] = OtxError("stop")
    Path(second.folder, "deploy", "product").unlink()
    with pytest.raises(OtxError, match=r"stop"):
        run(workspace="w")
    made.workspace.template.write_text(text)
    with pytest.raises(UsageError, match=r"batch_size was 4 and is 'auto'"):
        run(workspace="w")  # unfinished: which of both is meant is for people to say


def test_format_and_files_of_annotations_are_part_of_the_job(
    counted: Counted, here: Path, drawn_data: Path, drawn_as_coco: dict[str, Path]
) -> None:
    train = here / "train.json"
    train.write_bytes(drawn_as_coco["train"].read_bytes())
    files = {"train_ann_files": train, "val_ann_files": drawn_as_coco["val"]}
    assert run(drawn_data, **files, output="job").skipped == ()
    assert run(output="job").skipped == tuple(NAMES)
    state = read_state(Path("job"))
    assert state is not None
    assert state.inputs["folders"]["test data"] == str(drawn_data)  # measured on what is validated on
    assert state.inputs["folders"]["test annotations"] == str(drawn_as_coco["val"])
    with pytest.raises(UsageError, match=r"the job there has other inputs: data format was None and is 'c"):
        run(output="job", data_format="coco")
    with pytest.raises(UsageError, match=r"validation annotations was .*val.json' and is .*train.json'"):
        run(output="job", val_ann_files=drawn_as_coco["train"])
    os.utime(train, (1, 1))
    with pytest.raises(UsageError, match=r"the files of the train annotations have changed"):
        run(output="job")
    with pytest.raises(UsageError, match=r"--test-ann-files describes images in a folder: give --test-data-roots too"):
        run(drawn_data, output="other", test_ann_files=train)
    assert not Path("other").exists()


def test_the_label_map_is_part_of_the_job(counted: Counted, here: Path, drawn_data: Path) -> None:
    lines = "background: background\nbutton: disc\nplate: disc\nwedge: ignore\ngear: gear\nwasher: ignore\n"
    file = here / "map.yaml"
    file.write_text(lines)
    assert run(drawn_data, label_map="map.yaml", output="job").skipped == ()
    # Nobody has to name it again, and the file is not needed any more.
    file.unlink()
    assert run(output="job").skipped == tuple(NAMES)
    (here / "other.yaml").write_text(lines)
    assert run(output="job", label_map="other.yaml").skipped == tuple(NAMES)
    for changed in (lines.replace("gear: gear", "gear: disc"), "".join(reversed(lines.splitlines(keepends=True)))):
        file.write_text(changed)
        with pytest.raises(
            UsageError, match=r"the job there has other inputs: the files of the label map have changed"
        ):
            run(output="job", label_map="map.yaml")
    # In a workspace it is that of data.yaml, which is read each time.
    file.write_text(lines)
    build(drawn_data, label_map="map.yaml", workspace="w")
    run(workspace="w", output="of_w")
    file.write_text(lines.replace("gear: gear", "gear: cog"))
    with pytest.raises(UsageError, match=r"the files of the label map have changed"):
        run(workspace="w", output="of_w")


def test_a_label_map_reaches_every_step(here: Path, drawn_data: Path) -> None:
    lines = "background: background\nbutton: disc\nplate: disc\nwedge: ignore\ngear: gear\nwasher: ignore\n"
    (here / "map.yaml").write_text(lines)
    asked = JobRequest(DataSpec.given(None, "map.yaml", train_root=drawn_data))
    job = settle(asked, seconds=1.0, shown=lambda: nullcontext(Logger()))
    job = replace(job, folder=here / "job")
    (here / "job" / "check").mkdir(parents=True)
    assert STEPS[0].work(job, {})["verdict"].startswith("usable")
    assert "after the label map map.yaml" in (here / "job" / "check" / "check.html").read_text()
    assert job.plan.data.label_map == asked.data.label_map
    data, _ = check_data(job.plan, open_data(job.plan), None)
    (here / "job" / "train").mkdir()
    describe_data(job.plan, data).write(RunFolder(here / "job" / "train"))
    assert _measured_on(job).labels.names == ("background", "disc", "gear")


def test_what_a_workspace_says_of_the_data_reaches_every_step(
    here: Path, drawn_data: Path, drawn_as_coco: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Plan | Request] = {}

    def asks(step: str) -> Callable[..., Any]:
        def verb(asked_for: Plan | Request, *_: Any) -> Any:
            asked[step] = asked_for
            raise OtxError(step)

        return verb

    for step, called in (("train", "train_planned"), ("optimize", "quantize_ir")):
        monkeypatch.setattr(steps, called, asks(step))
    build(drawn_data, train_ann_files=drawn_as_coco["train"], val_ann_files=drawn_as_coco["val"], workspace="w")
    with pytest.raises(OtxError, match=r"step 2 of 9, training: train"):  # the data was looked through
        run(workspace="w", output="job", data_format="coco")
    state = read_state(Path("job"))
    assert state is not None
    job = settle(state.asked, seconds=1.0, shown=lambda: nullcontext(Logger()))
    with pytest.raises(OtxError, match=r"optimize"):
        STEPS[5].work(job, {"export": {"file": "openvino.xml"}})
    for step in ("train", "optimize"):
        data = asked[step].data
        assert (data.train_root, data.data_format) == (drawn_data, "coco")
        assert (data.train_annotations, data.val_annotations) == (drawn_as_coco["train"], drawn_as_coco["val"])
    assert [Path(sample.image).parts[-3] for sample in _measured_on(job).samples] == ["val", "val"]


def test_what_is_refused_leaves_nothing(counted: Counted, data: Path, here: Path) -> None:
    counted.failing["check"] = DataError("all masks are empty")
    with pytest.raises(DataError, match=r"^all masks are empty$"):
        run(data / "train", output="job")
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        run("nowhere", output="job")
    with pytest.raises(UsageError, match=r"--train-data-roots is missing"):
        run(output="job")
    with pytest.raises(UsageError, match=r"lies in .*train, a data folder"):
        run(data / "train", output=data / "train" / "job")
    with pytest.raises(UsageError, match=r"give a number above 0"):
        run(data / "train", output="job", seconds=0)
    with pytest.raises(UsageError, match=r"have none"):
        run(data / "train" / "images", output="job")
    assert not list(here.iterdir())
    Path("job", "train").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"already holds a result \(train\)"):
        run(data / "train", output="job")


def test_data_that_cannot_be_used_is_told_before_the_training(data: Path, here: Path) -> None:
    mask = next((data / "train" / "masks").iterdir())
    cv2.imwrite(str(mask), np.full((64, 64), 77, np.uint8))
    expected = r"step 1 of 9, checking the data: the data is not usable: 1 error: .*; see .*check.html"
    with pytest.raises(DataError, match=expected):
        run(data, output="job")
    assert "77" in Path("job", "check", "check.html").read_text(encoding="utf-8")
    assert not Path("job", "train").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "asked": {"what": 1}}'])
def test_a_damaged_state(counted: Counted, data: Path, here: Path, text: str) -> None:
    Path("job").mkdir()
    Path("job", JOB_STATE).write_text(text)
    with pytest.raises(UsageError, match=r"run.json: .*(not valid JSON|is damaged) .*--overwrite"):
        run(data / "train", output="job")
    assert run(data / "train", output="job", overwrite=True).skipped == ()


def test_the_whole_job(
    data: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("otx_seg.verbs.benchmark.computes_in_bf16", lambda: False)  # fewer processes to start
    Path("small.yaml").write_text(small_template().as_yaml())
    parameters = {**PARAMETERS, "learning_parameters.num_iters": 1}

    def power_cut(text: str) -> None:
        if text.startswith("step 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data / "train", template="small.yaml", output="job", parameters=parameters, say=power_cut)
    weights = Path("job", "train", "models", "weights.pth")
    trained = weights.stat().st_mtime_ns
    said: list[str] = []
    outcome = run(output="job", seconds=0.05, say=said.append)
    assert said[0] == "done before: check, train"
    assert Path("job", "check", "check.html").is_file()
    assert weights.stat().st_mtime_ns == trained
    assert [model.name for model in outcome.models] == ["torch", "OpenVINO FP32", "OpenVINO INT8"]
    assert outcome.images == 1  # the fifth of four images that is set aside
    assert outcome.package.is_file()
    for model, step in zip(outcome.models, ("train", "export", "optimize"), strict=True):
        performance = json.loads(Path("job", f"eval_{step}", "performance.json").read_text())
        assert model.dice == performance["Dice Average"]
        assert model.size == sum(
            file.stat().st_size for file in {model.file, model.file.with_suffix(".bin")} if file.is_file()
        )
        assert model.latency > 0
    # Trained on three images, measured on the fourth, with what the template leaves open decided.
    data_used = json.loads(Path("job", "train", "data.json").read_text())
    assert (len(data_used["train"]), len(data_used["val"])) == (3, 1)
    assert load("small.yaml").left_open
    assert load(Path("job", "train", "template.yaml")).left_open == ()
    # As a person or a program sees it.
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["run", "--output", "job", *more])
        assert not ended.value.code
        shown = capsys.readouterr().out
        assert all(str(model.dice)[:5] in shown for model in outcome.models)
        assert str(outcome.package) in "".join(shown.split())
    assert json.loads(shown)["models"] == outcome.as_json()["models"]


def test_a_killed_training_goes_on(data: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Plan] = []

    def train(plan: Plan, *_: Any) -> None:
        planned.append(plan)
        raise OtxError("enough")

    monkeypatch.setattr(steps, "train_planned", train)
    with pytest.raises(OtxError, match=r"enough"):
        run(data / "train", output="job")
    assert not planned[-1].template_named  # which one, the training decides
    checkpoint = Path("job", "train", "logs", "checkpoint", "state.pth")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    with pytest.raises(OtxError, match=r"step 2 of 9, training: .*state.pth: "):  # it is to be resumed with
        run(output="job")
    assert len(planned) == 1
    with pytest.raises(OtxError, match=r"enough"):
        run(output="job", overwrite=True)
    assert not checkpoint.exists()
