"""What `otx train` decides by itself, what the user decided, and that a run tells both."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from brief_training import CrashAt
from small_network import small_file

from otx_seg.configuration.facts import Decision, MachineFacts
from otx_seg.datasets import DataSpec, TrainingData, open_training
from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.template import find_template_file, load
from otx_seg.template.input_sizes import INPUT_SIZE
from otx_seg.template.plain_names import plainly
from otx_seg.training.setup.auto_configuration import configure
from otx_seg.training.setup.data import check_data, open_data
from otx_seg.training.setup.plan import Plan, Request, make_plan
from otx_seg.verbs.train import train
from otx_seg.workspace.weights import read_weights, write_backbone, write_weights

BATCH, RATE = "learning_parameters.batch_size", "learning_parameters.learning_rate"
BRIEF = {
    "learning_parameters.pretrained": "none",
    "learning_parameters.num_workers": 0,
    "learning_parameters.num_iters": 1,
}


def decisions_in(run: Path) -> dict[str, dict[str, Any]]:
    """The content of a run's `auto_configuration.json` by parameter."""
    return {item["parameter"]: item for item in json.loads((run / "auto_configuration.json").read_text())}


@pytest.fixture(scope="module")
def run(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on 8 training images of 64 x 64 pixels, all else left to itself."""
    folder = tmp_path_factory.mktemp("auto") / "run"
    train(drawn_data, output=folder, parameters=BRIEF)
    return folder


def test_a_run_records_its_decisions(run: Path) -> None:
    found = decisions_in(run)
    assert found["template"]["value"] == "Lite-HRNet-18-mod2"
    assert found["template"]["reason"] == "balance: time for more than 20,000 steps in 4 hours"
    assert found["learning_parameters.input_size"]["value"] == "64x64"
    assert "images of about 64 pixels a side" in found["learning_parameters.input_size"]["reason"]
    assert found["learning_parameters.use_adaptive_interval"]["value"] is True
    assert found["learning_parameters.class_weights"]["value"] == "inverse_root"
    for name in ("num_workers", "num_iters"):
        decision = found[f"learning_parameters.{name}"]
        assert (decision["given"], decision["reason"]) == (True, "as given")
        assert decision["value"] == BRIEF[f"learning_parameters.{name}"]
    assert found["validation"]["value"] == 2
    assert (found["task"]["value"], found["task"]["reason"]) == ("SEGMENTATION", "masks give each pixel a label")
    assert found["data_format"]["value"] == "common_semantic_segmentation"
    assert (found["data_format"]["given"], found["data_format"]["reason"]) == (False, "the format of the folder")
    report = (run / "cli_report.log").read_text()
    assert "learning_parameters.input_size = 64x64: images of about 64 pixels" in report
    assert "learning_parameters.epochs = 1: as given" in report


def test_few_images_make_several_rounds(drawn_data: Path, tmp_path: Path) -> None:
    brief = {name: value for name, value in BRIEF.items() if not name.endswith("num_iters")}
    with pytest.raises(CrashAt.CrashError):
        train(drawn_data, output=tmp_path, template="Lite-HRNet-s-mod2", parameters=brief, loggers=[CrashAt(1)])
    found = decisions_in(tmp_path)
    assert found["learning_parameters.rounds_per_epoch"]["value"] == 5  # 8 images at once
    assert found["learning_parameters.num_iters"]["reason"].startswith("6,000 steps at 5 steps each")


def test_epochs_that_the_user_counts_are_single_rounds(run: Path) -> None:
    assert decisions_in(run)["learning_parameters.rounds_per_epoch"]["reason"] == "epochs counts rounds"


@pytest.mark.parametrize(
    ("given", "batch", "rate", "epochs"),
    # 6,000 steps. Batches of 12: a round is 2 steps, an epoch of 4 rounds 6. Batches of 2: 8 steps, 3 rounds, 24.
    [({}, 12, 0.00367, 1000), ({RATE: 0.002}, 12, 0.002, 1000), ({BATCH: 2}, 2, 0.003, 250)],
)
def test_the_largest_batch(
    given: dict[str, Any], batch: int, rate: float, epochs: int, drawn_data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    shutil.copytree(drawn_data, tmp_path / "data")
    for file in list((tmp_path / "data" / "train").glob("*/*.*")):  # 8 images, twice
        shutil.copy(file, file.with_name(f"again{file.name}"))
    template = load("Lite-HRNet-s-mod2")
    # At 64x64 an image takes half of a 64th of the GFLOPs at 512x512 in GB, and half of the memory may be used.
    monkeypatch.setattr("otx_seg.training.devices.allowed_memory", lambda: round(template.gigaflops * 1e9 / 64 * 12.5))
    full = {name: value for name, value in BRIEF.items() if not name.endswith("num_iters")}
    full |= {"learning_parameters.auto_adapt_batch_size": "Full", **given}
    with pytest.raises(CrashAt.CrashError):
        train(tmp_path / "data", output=tmp_path / "run", template=template.name, parameters=full, loggers=[CrashAt(1)])
    parameters = load(tmp_path / "run" / "template.yaml").hyper_parameters.learning_parameters
    assert (parameters.batch_size, parameters.learning_rate, parameters.num_iters) == (batch, rate, epochs)
    assert decisions_in(tmp_path / "run")["learning_parameters.batch_size"]["given"] == (BATCH in given)


def test_the_resolved_template_leaves_nothing_open(run: Path) -> None:
    resolved = load(run / "template.yaml")
    assert resolved.left_open == ()
    assert resolved.input_size == (64, 64)
    weights = read_weights(run / "models" / "weights.pth")
    assert weights.input_size == (64, 64)
    assert weights.template == resolved


def test_what_was_decided_is_said(drawn_data: Path, tmp_path: Path, messages: Any) -> None:
    with pytest.raises(CrashAt.CrashError):
        train(drawn_data, output=tmp_path, template="Lite-HRNet-s-mod2", parameters=BRIEF, loggers=[CrashAt(1)])
    assert "decided: input_size 64x64 (images of about 64 pixels a side" in messages.text
    assert "as given: template Lite-HRNet-s-mod2, num_workers 0, epochs 1" in messages.text
    for name, found in decisions_in(tmp_path).items():
        if not found["given"] and name not in ("algo_backend.train_type", "validation"):  # told with the data
            line = f"decided: {plainly(name).rpartition('.')[2]} {found['value']} ({found['reason']})"
            assert line in messages.text


TWO_CORES = MachineFacts(cores=2, threads=2, processes=1, world_size=1, gpu=False, memory=16_000_000_000)


def configured(machine: MachineFacts = TWO_CORES, **request: Any) -> dict[str, Decision]:
    """What is decided for these arguments of a training, by parameter."""
    plan = make_plan(Request(**request))
    without_masks = plan.train_type == "Selfsupervised"
    data, report = (bare_images(plan), None) if without_masks else check_data(plan, open_data(plan), None)
    return {item.parameter: item for item in configure(plan, data, report, machine).decisions}


def bare_images(plan: Plan) -> TrainingData:
    return open_data(replace(plan, data=DataSpec(plan.data.train_root.parent)))


CHANGED = {
    "learning_parameters.rounds_per_epoch": 3,
    "learning_parameters.use_adaptive_interval": False,
    "learning_parameters.frozen_backbone_iters": 7,
    "learning_parameters.loss": "cross_entropy_dice",
    "learning_parameters.class_weights": "effective_number",
    "learning_parameters.num_workers": 1,
    "learning_parameters.num_iters": 7,
    BATCH: 2,
    INPUT_SIZE: "96x64",
}


def test_every_decision_can_be_overruled(drawn_data: Path) -> None:
    left_open = configured(data=DataSpec(drawn_data))
    overruled = configured(data=DataSpec(drawn_data), template="Lite-HRNet-18", parameters=CHANGED)
    for name, value in {**CHANGED, "template": "Lite-HRNet-18"}.items():
        assert left_open[name].value != value
        assert not left_open[name].given
        assert overruled[name] == Decision(name, value, "as given", given=True)
    rest = set(left_open) - set(CHANGED) - {"template"}
    # By --data-format, --train-type and --val-data-roots; there is but one task.
    assert rest == {"task", "data_format", "algo_backend.train_type", "validation"}


def test_a_published_backbone_keeps_its_weights_at_first(drawn_data: Path, tmp_path: Path) -> None:
    frozen, none = "learning_parameters.frozen_backbone_iters", {"learning_parameters.pretrained": "none"}
    asked: dict[str, Any] = {"data": DataSpec(drawn_data), "template": "EfficientNet-Lite0-FPN"}
    weights = tmp_path / "weights.pth"
    template, labels = load("EfficientNet-Lite0-FPN"), Labels(DRAWN, default_colors(len(DRAWN)), background=0)
    write_weights(weights, build_model(template, len(DRAWN)).state_dict(), labels, template, "random numbers")
    assert configured(**asked)[frozen].value == 50
    assert configured(**asked, parameters=none)[frozen].value == 0
    assert configured(**asked, load_weights=weights)[frozen].value == 0


def test_the_loss_from_published_weights_has_no_label_weights_unless_they_are_given(drawn_data: Path) -> None:
    loss, weights = "learning_parameters.loss", "learning_parameters.class_weights"

    def chosen(**parameters: str) -> tuple[Any, Any]:
        named = {f"learning_parameters.{name}": value for name, value in parameters.items()}
        found = configured(data=DataSpec(drawn_data), template="EfficientNet-Lite0-FPN", parameters=named)
        return found[loss].value, found[weights].value

    assert chosen() == ("dice", "none")
    assert chosen(pretrained="none") == ("cross_entropy", "inverse_root")
    assert chosen(class_weights="erfnet") == ("cross_entropy", "erfnet")


@pytest.mark.parametrize(("memory", "batch"), [(16_000_000_000, 8), (4_000_000_000, 3)])
def test_images_alone_come_in_batches_that_fit_into_memory(drawn_data: Path, memory: int, batch: int) -> None:
    images = drawn_data / "train" / "images"
    found = configured(replace(TWO_CORES, memory=memory), data=DataSpec(images), template="Lite-HRNet-s-mod2")
    # At 512x512, 0.59 GFLOPs, half a GB each, twice for two views of an image; half of the memory may be used.
    assert found[BATCH].value == batch
    assert found["template"] == Decision("template", "Lite-HRNet-s-mod2", "as given", given=True)
    usual = configured(data=DataSpec(images))["template"]
    assert (usual.value, usual.given) == ("EfficientNet-Lite0-FPN", False)


def test_epochs_are_those_that_balance_new_labels(drawn_data: Path) -> None:
    plan = make_plan(Request(DataSpec(drawn_data), template="Lite-HRNet-s-mod2", parameters={BATCH: 2}))
    data, report = check_data(plan, open_data(plan), None)
    assert len(data.train) == 8
    found = {item.parameter: item for item in configure(plan, replace(data, new=(0,)), report, TWO_CORES).decisions}
    # The new one and isqrt(7) = 2 others: a round is one step (no batch has one image), 5 rounds are 7 steps.
    assert found["learning_parameters.rounds_per_epoch"].value == 5
    assert found["learning_parameters.num_iters"].value == 858  # 6000 / 7


@pytest.mark.parametrize(("side", "told"), [(64, True), (512, False)])
def test_regions_that_the_network_cannot_see_are_told(tmp_path: Path, messages: Any, side: int, told: bool) -> None:
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    mask = np.zeros((512, 512), np.uint8)
    mask[96:104, 96:104] = 1  # eight pixels across: one at an eighth of the size
    for number in range(4):
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), np.roll(40 * mask, number, axis=0))
        cv2.imwrite(str(tmp_path / "masks" / f"{number}.png"), np.roll(mask, number, axis=0))
    parameters = {INPUT_SIZE: f"{side}x{side}"}
    configured(data=DataSpec(tmp_path), template="Lite-HRNet-s-mod2", parameters=parameters)
    text = f"ceiling: Lite-HRNet-s-mod2 at {side}x{side} answers for squares of 8 pixels: "
    low = "even a perfect one reaches a Dice of only 0.50 (0.00 on label_1); set a larger"
    assert text + (low if told else "a perfect one reaches a Dice of ") in messages.text
    assert messages.text.count("ceiling: ") == 1


def weights_trained_at(size: str, path: Path) -> Path:
    """`weights.pth` for the labels of the synthetic images, of which the classifier alone is there."""
    labels = Labels(DRAWN, default_colors(len(DRAWN)), background=0)
    chosen = load("Lite-HRNet-s-mod2").override({INPUT_SIZE: size})
    write_weights(path, {"decode_head.conv_seg.weight": torch.zeros(len(DRAWN), 1, 1, 1)}, labels, chosen, "zeros")
    return path


def test_a_trained_network_keeps_the_size_of_its_input(drawn_data: Path, tmp_path: Path) -> None:
    weights = weights_trained_at("96x128", tmp_path / "weights.pth")
    expected = Decision(INPUT_SIZE, "96x128", "that of the weights")
    assert configured(data=DataSpec(drawn_data), load_weights=weights)[INPUT_SIZE] == expected
    assert configured(data=DataSpec(drawn_data / "train" / "images"), load_weights=weights)[INPUT_SIZE] == expected
    # However little time there is.
    hasty = {"learning_parameters.max_minutes": 0.01}
    assert configured(data=DataSpec(drawn_data), load_weights=weights, parameters=hasty)[INPUT_SIZE] == expected
    asked = configured(data=DataSpec(drawn_data), load_weights=weights, parameters={INPUT_SIZE: "64x64"})[INPUT_SIZE]
    assert asked == Decision(INPUT_SIZE, "64x64", "as given", given=True)
    assert configured(data=DataSpec(drawn_data))[INPUT_SIZE].value == "64x64"


def test_a_backbone_alone_and_odd_sizes_say_nothing_about_the_input(drawn_data: Path, tmp_path: Path) -> None:
    chosen = load("Lite-HRNet-s-mod2").override({INPUT_SIZE: "96x96"})
    write_backbone(tmp_path / "backbone.pth", {"any": torch.zeros(1)}, chosen, "zeros")
    assert configured(data=DataSpec(drawn_data), load_weights=tmp_path / "backbone.pth")[INPUT_SIZE].value == "64x64"
    of_otx_1 = {"model": {"state_dict": {"decode_head.conv_seg.weight": torch.zeros(2, 1)}}, "labels": ["disc"]}
    for size, expected in (((96, 96), "96x96"), ((100, 96), "64x64")):
        torch.save({**of_otx_1, "input_size": size}, tmp_path / "old.pth")
        found = configured(data=DataSpec(drawn_data), load_weights=tmp_path / "old.pth", template="Lite-HRNet-s-mod2")
        assert found[INPUT_SIZE].value == expected


def test_a_file_decides_what_it_names(drawn_data: Path, tmp_path: Path) -> None:
    template = load("Lite-HRNet-s-mod2").override({**BRIEF, "learning_parameters.class_weights": "none"})
    (tmp_path / "mine.yaml").write_text(template.as_yaml())
    changes = {"learning_parameters.input_size": "96x64", "learning_parameters.batch_size": "auto"}
    with pytest.raises(CrashAt.CrashError):
        train(
            drawn_data,
            output=tmp_path / "run",
            template=tmp_path / "mine.yaml",
            parameters=changes,
            loggers=[CrashAt(1)],
        )
    given = {name.rpartition(".")[2] for name, decision in decisions_in(tmp_path / "run").items() if decision["given"]}
    assert given == {"template", "input_size", "num_workers", "num_iters", "class_weights"}
    assert load(tmp_path / "run" / "template.yaml").input_size == (96, 64)


def test_a_resumed_run_keeps_its_decisions(drawn_data: Path, tmp_path: Path) -> None:
    few = {**BRIEF, "learning_parameters.batch_size": 2}
    with pytest.raises(CrashAt.CrashError):
        train(drawn_data, output=tmp_path / "run", template=small_file(), parameters=few, loggers=[CrashAt(1)])
    before = decisions_in(tmp_path / "run")
    again = {"template": small_file(), "parameters": few}
    resumed = train(resume_from=tmp_path / "run", output=tmp_path / "copy", **again)
    assert resumed.steps == 4
    assert decisions_in(tmp_path / "copy") == before
    assert "learning_parameters.input_size = 64x64" in (tmp_path / "copy" / "cli_report.log").read_text()
    with pytest.raises(UsageError, match=r"input_size = '64x64', not '96x96'"):
        train(resume_from=tmp_path / "run", parameters={"learning_parameters.input_size": "96x96"})


def test_training_and_quantising_divide_images_alike(drawn_data: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_data / "train", tmp_path / "data")
    (tmp_path / "data" / "images" / "0001.jpg").write_bytes(b"broken")
    plan = make_plan(Request(DataSpec(tmp_path / "data"), seed=5))
    trained, _ = check_data(plan, open_data(plan), None)
    calibrated = open_training(DataSpec(tmp_path / "data"), seed=5)
    assert (len(trained.train), len(trained.val or ())) == (5, 2)
    assert trained.val == calibrated.val
    assert trained.train == calibrated.train


def test_a_label_in_one_image_is_trained_on_and_said(
    drawn_data: Path, tmp_path: Path, save: Callable[..., Path], messages: Any
) -> None:
    shutil.copytree(drawn_data / "train", tmp_path / "data")
    meta = json.loads((tmp_path / "data" / "dataset_meta.json").read_text())
    meta["label_map"]["6"] = "comet"
    meta["segmentation_colors"].append([1, 2, 3])
    (tmp_path / "data" / "dataset_meta.json").write_text(json.dumps(meta))
    path = tmp_path / "data" / "masks" / "0002.png"
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    mask[:4, :4] = 6
    save(path, mask)
    for seed in range(3):
        plan = make_plan(Request(DataSpec(tmp_path / "data"), seed=seed))
        data, _ = check_data(plan, open_data(plan), None)
        assert "0002.jpg" in [sample.name for sample in data.train.samples]
    assert "too few images show comet: none is left for validation" in messages.text


def test_images_alone(drawn_data: Path, tmp_path: Path) -> None:
    changes = {
        **BRIEF,
        "learning_parameters.num_iters": "auto",
        "learning_parameters.input_size": "64x64",
        "learning_parameters.batch_size": 4,
        "self_supervised.steps": 2,
    }
    train(drawn_data / "train" / "images", output=tmp_path / "run", template=small_file(), parameters=changes)
    epochs = decisions_in(tmp_path / "run")["learning_parameters.num_iters"]
    assert (epochs["value"], epochs["reason"]) == (1, "self_supervised.steps=2")
    assert load(tmp_path / "run" / "template.yaml").left_open == ()


@pytest.mark.parametrize(
    ("losses", "changes", "message"),
    [
        (
            [{"type": "Dice", "weight": 1.0}],
            {"learning_parameters.loss": "dice"},
            "lists losses of its own; remove one",
        ),
        (
            None,
            {"learning_parameters.loss": "dice", "learning_parameters.class_weights": "none"},
            "class_weights: dice counts labels alike: leave them out",
        ),
        (None, {"learning_parameters.class_weights": "1,2"}, "2 weights for 6 labels"),
        (None, {"learning_parameters.class_weights": "rare"}, "'rare' is not none, inverse_root"),
    ],
)
def test_losses_and_weights_that_contradict(
    drawn_data: Path, tmp_path: Path, losses: Any, changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "mine.yaml"
    text = find_template_file("Lite-HRNet-s-mod2").read_text()
    path.write_text(text + (f"losses: {json.dumps(losses)}\n" if losses else ""))
    with pytest.raises(UsageError, match=message):
        train(drawn_data, output=tmp_path / "run", template=path, parameters={**BRIEF, **changes})
    assert not (tmp_path / "run").exists()
