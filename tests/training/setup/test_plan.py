"""What a training is to do: the arguments of `train`, and the plan or the refusal that comes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import DEFAULT_SEED, DataSpec
from otx_seg.datasets.label_map import LabelMap
from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.training.recorded_data import RecordedData
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.training.setup.search_settings import Settings
from otx_seg.workspace.run_folder import RunFolder

LITE = "Lite-HRNet-s-mod2"
TYPE, ADAPT, LOSS = "algo_backend.train_type", "learning_parameters.task_adapt", "learning_parameters.loss"
SUPCON, WEIGHTS = "learning_parameters.enable_supcon", "learning_parameters.class_weights"
FROZEN = "learning_parameters.frozen_backbone_iters"
POLYGONS = "learning_parameters.use_otx_adapter"
MAP = LabelMap((("button", "disc"), ("plate", "plate")), "m.yaml")
TRAIN, VAL, BARE, FILE = Path("train"), Path("val"), Path("bare"), Path("one.json")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_data: Path) -> None:
    """`TRAIN` and `VAL` with masks, and `BARE` without, in the current folder."""
    monkeypatch.chdir(tmp_path)
    TRAIN.symlink_to(drawn_data / "train")
    VAL.symlink_to(drawn_data / "val")
    BARE.symlink_to(drawn_data / "train" / "images")


def ask(*roots: Path, template: str | None = LITE, **arguments: Any) -> Request:
    """A request for a small template; those of `arguments` that a `DataSpec` has go there."""
    of_data = {name: arguments.pop(name) for name in tuple(arguments) if name in DataSpec.__dataclass_fields__}
    return Request(DataSpec(*roots, **of_data), template=template, **arguments)


@pytest.mark.parametrize(
    ("request_", "train_type", "reason"),
    [
        (ask(TRAIN), "Incremental", "because all images are labelled"),
        (ask(TRAIN, VAL), "Incremental", "because all images are labelled"),
        (ask(BARE), "Selfsupervised", "because bare has images without masks"),
        (ask(TRAIN, unlabelled_root=BARE), "Semisupervised", "because unlabelled images are given"),
        (ask(TRAIN, VAL, unlabelled_root=BARE, unlabelled_list=FILE), "Semisupervised", "because unlabelled images"),
        # Who names images to validate on has masks.
        (ask(BARE, VAL), "Incremental", "because all images are labelled"),
        # A format or an annotation file says that there are masks.
        (ask(BARE, data_format="coco"), "Incremental", "because all images are labelled"),
        (ask(BARE, train_annotations=FILE), "Incremental", "because all images are labelled"),
        (ask(BARE, val_annotations=FILE), "Incremental", "because all images are labelled"),
        # What is asked for, in either way and in any letters.
        (ask(TRAIN, train_type="Selfsupervised"), "Selfsupervised", "as asked for"),
        (ask(TRAIN, train_type="selfsupervised"), "Selfsupervised", "as asked for"),
        (ask(TRAIN, parameters={TYPE: "Selfsupervised"}), "Selfsupervised", "as asked for"),
        (ask(TRAIN, train_type="incremental", parameters={TYPE: "Incremental"}), "Incremental", "as asked for"),
    ],
)
def test_the_train_type(request_: Request, train_type: str, reason: str) -> None:
    plan = make_plan(request_)
    assert plan.train_type == train_type
    assert plan.reason.startswith(reason)
    assert plan.data == request_.data


def planned(request: Request, *names: str) -> tuple[Any, ...]:
    plan = make_plan(request)
    return tuple(getattr(plan, name) for name in names)


def test_what_is_left_out_has_its_usual_value() -> None:
    names = ("seed", "load_weights", "known", "state", "resumed_run", "search", "trained_size", "deterministic")
    assert planned(ask(TRAIN), *names) == (DEFAULT_SEED, None, None, None, None, None, None, False)
    assert planned(ask(TRAIN, seed=0, deterministic=True), "seed", "deterministic") == (0, True)
    settled = ("template_named", "template_reason")
    assert planned(ask(TRAIN), *settled) == (True, "as given")
    assert planned(ask(TRAIN, template=None), *settled) == (False, "that of the weights")
    assert planned(ask(TRAIN, template_reason="of the workspace"), *settled) == (True, "of the workspace")


def test_a_search_is_planned() -> None:
    assert make_plan(ask(TRAIN, enable_hpo=True)).search == Settings(1.1, None, asked=False)
    asked = ask(TRAIN, enable_hpo=True, hpo_time_ratio=3.0, hpo_parallel=2)
    assert make_plan(asked).search == Settings(3.0, 2, asked=True)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ask(TRAIN, unlabelled_list=FILE), r"^--unlabeled-file-list names images in a folder: give --unlabeled-data"),
        (ask(TRAIN, hpo_time_ratio=2.0), r"^--hpo-time-ratio says how to search .*: give --enable-hpo too"),
        (ask(TRAIN, hpo_parallel=2), r"^--hpo-parallel says how to search .*: give --enable-hpo too"),
        (ask(TRAIN, enable_hpo=True, hpo_time_ratio=1.0), r"^--hpo-time-ratio 1: .* give a number above 1"),
        (ask(TRAIN, enable_hpo=True, hpo_parallel=0), r"^--hpo-parallel 0: at least one trial"),
        (ask(BARE, enable_hpo=True), r"^--enable-hpo compares validation scores, .*: leave it out"),
        (ask(TRAIN, train_type="supervised"), r"^--train-type supervised: unknown; "),
        (
            ask(TRAIN, train_type="Incremental", parameters={TYPE: "Selfsupervised"}),
            r"^--train-type Incremental and algo_backend.train_type=Selfsupervised contradict each other",
        ),
        (ask(TRAIN, train_type="Semisupervised"), r"needs images without masks: give --unlabeled-data-roots"),
        (ask(TRAIN, unlabelled_root=BARE, train_type="Incremental"), r"does not use unlabelled images: leave out"),
        (ask(TRAIN, VAL, train_type="Selfsupervised"), r"uses no masks: leave out --val-data-roots"),
        (ask(BARE, train_type="Selfsupervised", data_format="coco"), r"leave out --data-format, --label-map and --tra"),
        (ask(BARE, label_map=MAP), r"leave out --data-format, --label-map and --train-ann-files, and name the folder"),
        (ask(TRAIN, template="Lite-HRNet-s-mod"), r"Lite-HRNet-s-mod.*Lite-HRNet-s-mod2"),
        (ask(TRAIN, parameters={"learning_parameters.batchsize": 2}), r"batchsize.*batch_size"),
        # Parameters that would do nothing.
        (ask(TRAIN, unlabelled_root=BARE, parameters={SUPCON: True}), r"enable_supcon needs only labelled images"),
        (
            ask(TRAIN, parameters={LOSS: "dice", WEIGHTS: "auto"}),
            r"class_weights: dice counts labels alike: leave them out",
        ),
        (
            ask(BARE, parameters={FROZEN: 5}),
            r"frozen_backbone_steps: self-supervised training trains the backbone alone",
        ),
        (
            ask(TRAIN, parameters={"distillation.loss": "logits"}),
            r"^distillation.loss says how .*: give otx train its --teacher",
        ),
        (
            ask(TRAIN, teacher="a.pth", parameters={"distillation.weight": 0}),
            r"distillation.weight: 0 is not usable: .*greater",
        ),
        (ask(BARE, teacher="a.pth"), r"^--teacher answers with labels, and self-supervised training has none: leave"),
        (
            ask(BARE, parameters={"learning_parameters.average_best": 3}),
            r"average_best compares validation scores, and s",
        ),
        (
            ask(BARE, parameters={"learning_parameters.precise_bn_images": 9}),
            r"precise_bn_images compares validation sc",
        ),
        (ask(BARE, parameters={"learning_parameters.watch": "miou"}), r"watch is a validation score, and self-sup"),
        (ask(TRAIN, parameters={ADAPT: "merge"}), r"task_adapt=merge adds labels .*: give its --load-weights"),
        (ask(BARE, parameters={POLYGONS: True}), r"polygon_round_trip is about masks"),
        # Runs and weights that are missing.
        (ask(TRAIN, load_weights="gone.pth"), r"^gone.pth: "),
        (ask(TRAIN, teacher="gone.pth"), r"^--teacher gone.pth: there is no such file"),
        (ask(TRAIN, teacher="train"), r"^--teacher train: is a folder, and no model is in it"),
        (Request(resume_from="gone"), r"^gone: "),
        (Request(resume_from="gone", load_weights="a.pth"), r"^--resume-from and --load-weights cannot be combined"),
    ],
)
def test_what_is_refused(request_: Request, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_plan(request_)


RECORDED = DataSpec(
    Path("/was/train"), Path("/was/val"), data_format="coco", train_annotations=Path("/was/a.json"), label_map=MAP
)
KNOWN = Labels(("a", "b"), ((0, 0, 0), (1, 1, 1)), 0)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run that was written down and did not come to its first step."""
    made = RunFolder(tmp_path / "run")
    made.log.parent.mkdir(parents=True)
    made.template.write_text(make_plan(ask(TRAIN)).template.as_yaml())
    made.decisions.write_text("[]")
    made.log.touch()
    names: tuple[str, ...] = ()
    start = Path("/was/start.pth")
    RecordedData(7, "a fifth", names, names, names, (), KNOWN, True, start, RECORDED).write(made)
    return made


def test_a_run_goes_on_as_it_began(run: RunFolder) -> None:
    names = ("data", "seed", "known", "deterministic", "load_weights", "state", "resumed_run", "reason")
    begun = (RECORDED, 7, KNOWN, True, Path("/was/start.pth"), None, run, "as in the run to resume")
    assert planned(Request(resume_from=run.path), *names) == begun
    # The same again is no contradiction, and data may lie elsewhere now.
    again = Request(
        DataSpec(TRAIN, val_annotations=FILE, label_map=replace(MAP, source="n")),
        resume_from=run.path,
        seed=7,
        template=LITE,
    )
    data = DataSpec(TRAIN, RECORDED.val_root, None, None, None, "coco", RECORDED.train_annotations, FILE)
    data = replace(data, label_map=MAP)
    assert make_plan(again).data == data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 8}, r"has seed 7, not 8"),
        ({"template": "SegNext-t"}, r"the run to resume has .*, not "),
        ({"parameters": {"learning_parameters.learning_rate": 0.05}}, r"learning_rate = .*, not 0.05"),
        (
            {"parameters": {"learning_parameters.frozen_backbone_iters": 7}},
            r"the run to resume has learning_parameters.frozen_backbone_steps = 'auto', not 7",
        ),
        ({"train_type": "Selfsupervised"}, r"train_type = 'Incremental', not 'Selfsupervised'"),
        ({"data": DataSpec(unlabelled_list=FILE)}, r"uses no unlabelled images: leave out --unlabeled-file-list"),
        ({"data": DataSpec(unlabelled_root=BARE)}, r"train_type = 'Incremental', not 'Semisupervised'"),
        (
            {"data": DataSpec(label_map=LabelMap(MAP.new_names[::-1], "other.yaml"))},
            r"^--label-map other.yaml: the run to resume has another one, m.yaml; leave it out, or start a new run",
        ),
    ],
)
def test_a_run_goes_on_with_nothing_else(run: RunFolder, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_plan(Request(**arguments, resume_from=run.path))


def test_data_recorded_before_there_were_other_parts_is_read(run: RunFolder) -> None:
    of_old = json.loads(run.data.read_text())
    for key in ("test_root", "test_annotations", "label_map"):
        del of_old[key]
    run.data.write_text(json.dumps(of_old))
    assert make_plan(Request(resume_from=run.path)).data == replace(RECORDED, label_map=None)
    with pytest.raises(UsageError, match=r"^--label-map m.yaml: the run to resume has none; leave it out"):
        make_plan(Request(DataSpec(label_map=MAP), resume_from=run.path))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"new_names": [["a", "b"]]}, r"data.json: is damaged \(label_map is .*needs at least two"),
        ({"new_names": [["a"]]}, r"data.json: is damaged \(label_map.new_names.0"),
        ({"new_names": "a: b"}, r"data.json: is damaged \(label_map.new_names"),
    ],
)
def test_a_damaged_label_map_in_a_record(run: RunFolder, damage: dict[str, Any], message: str) -> None:
    content = json.loads(run.data.read_text())
    content["label_map"] |= damage
    run.data.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message):
        make_plan(Request(resume_from=run.path))
