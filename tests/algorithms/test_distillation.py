"""Learning from a teacher: the losses of each way of learning, written out."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from small_network import small_template
from torch import Tensor

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.algorithms.distillation import Distillation
from otx_seg.algorithms.mixing import mix_boxes, paste_labels
from otx_seg.distillation_losses.channel_wise import ChannelWise
from otx_seg.distillation_losses.logits import Logits
from otx_seg.inference.teacher import open_teacher
from otx_seg.labels import labels_called
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.workspace.teacher_file import teacher_at

LABELS = labels_called("background,red brick,pole,sky")
LATE = TrainProgress(epoch=3, step=30, progress=0.75)
TYPE, SUPCON = "algo_backend.train_type", "learning_parameters.enable_supcon"
WEIGHT, TEMPERATURE = 0.7, 2.0


def make(weights: Path, **changes: Any) -> Any:
    """An algorithm with the teacher in `weights`, and the same one without."""
    named = {"weight": WEIGHT, "temperature": TEMPERATURE, **changes.pop("distillation", {})}
    template = small_template().override(
        {**{f"distillation.{name}": value for name, value in named.items()}, **changes}
    )
    teacher, built = open_teacher(teacher_at(weights), LABELS), []
    for given in (teacher, None):
        torch.manual_seed(3)
        network = SegmentationNetwork(build_model(template, len(LABELS)))
        built.append(algorithms.build(template, network, [1.0] * len(LABELS), given).train())
    return built


def view(seed: int, count: int = 2) -> dict[str, Any]:
    """Images with masks of which the first rows are 255."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=generator)
    mask = torch.randint(0, 4, (count, 8, 8), dtype=torch.uint8, generator=generator)
    mask = mask.repeat_interleave(8, 1).repeat_interleave(8, 2)
    mask[:, : 8 * (seed + 1)] = 255
    return {"image": image, "mask": mask, "files": ["a"] * count}


def difference(algorithms_: Any, batch: dict[str, Any], at: TrainProgress = LATE) -> tuple[float, dict[str, Tensor]]:
    """What the teacher adds to the loss, and the losses with it."""
    found = []
    for algorithm in algorithms_:
        torch.manual_seed(4)
        found.append(algorithm.training_step(batch, at))
    assert "distillation" not in found[1]
    return float(found[0]["loss"] - found[1]["loss"]), found[0]


def expected(tiny: SegmentationNetwork, student: Tensor, images: Tensor, counted: Tensor) -> float:
    """The weighted loss, from what both networks say of the images."""
    with torch.no_grad():
        answers = tiny(images).log_softmax(dim=1)
    return WEIGHT * float(ChannelWise(TEMPERATURE)(student.log_softmax(dim=1), answers, counted))


@torch.no_grad()
def test_supervised_training(tiny_weights: Path, tiny_network: SegmentationNetwork) -> None:
    both, batch = make(tiny_weights), {"labelled": view(0)}
    student = copy.deepcopy(both[0].network)(batch["labelled"]["image"])
    added, losses = difference(both, batch)
    wanted = expected(tiny_network, student, batch["labelled"]["image"], batch["labelled"]["mask"] != 255)
    assert added == pytest.approx(wanted, rel=1e-4)
    assert float(losses["distillation"]) == pytest.approx(wanted, rel=1e-4)


@torch.no_grad()
def test_the_loss_is_the_one_that_is_named(tiny_weights: Path) -> None:
    for name, kind in (("logits", Logits), ("channel_wise", ChannelWise)):
        algorithm, _ = make(tiny_weights, distillation={"loss": name})
        assert type(algorithm.distillation.loss) is kind
        assert algorithm.distillation.loss.temperature == TEMPERATURE


@torch.no_grad()
def test_all_views_of_supervised_contrastive_training(tiny_weights: Path, tiny_network: SegmentationNetwork) -> None:
    both = make(tiny_weights, **{SUPCON: True})
    first, second = view(0), view(1)
    torch.manual_seed(4)
    mixed, true = paste_labels(second["image"], first["image"].roll(1, 0), first["mask"].roll(1, 0), 1.0)
    assert (true != 255).any()
    images = torch.cat((first["image"], mixed))
    counted = torch.cat((first["mask"] != 255, (true != 255) | (second["mask"] != 255)))
    student = copy.deepcopy(both[0].network)(images)
    added, _ = difference(both, {"labelled": first, "second": second})
    assert added == pytest.approx(expected(tiny_network, student, images, counted), rel=1e-3)


@pytest.mark.parametrize("at", [TrainProgress(0, 0, 0.0), LATE])
@torch.no_grad()
def test_unlabelled_images_as_the_student_sees_them(
    tiny_weights: Path, tiny_network: SegmentationNetwork, at: TrainProgress
) -> None:
    """From the first step on, boxes and pasted regions included, but where no image is."""
    changes = {TYPE: "Semisupervised", "semi_supervised.cut_mix": 1.0, "semi_supervised.contrast_weight": 0.0}
    both = make(tiny_weights, **changes)
    labelled, unlabelled = view(0), view(2, 3)
    unlabelled["strong"] = unlabelled["image"].flip(3)
    unlabelled["mask"] = torch.where(unlabelled["mask"] == 255, 255, 0).to(torch.uint8)
    unlabelled["mask"][0] = 0
    batch = {"labelled": labelled, "unlabelled": unlabelled, "pasted": view(1)}
    torch.manual_seed(4)
    strong, outside = mix_boxes(unlabelled["strong"], unlabelled["mask"], 1.0)
    assert not torch.equal(outside, unlabelled["mask"])
    strong, true = paste_labels(strong, batch["pasted"]["image"], batch["pasted"]["mask"], 1.0)
    images = torch.cat((labelled["image"], strong))
    counted = torch.cat((labelled["mask"] != 255, (outside == 0) | (true != 255)))
    student = copy.deepcopy(both[0].student)(images)
    added, losses = difference(both, batch, at)
    assert added == pytest.approx(expected(tiny_network, student, images, counted), rel=1e-3)
    assert "unsupervised" in losses


@torch.no_grad()
def test_semi_supervised_training_with_labelled_images_alone(
    tiny_weights: Path, tiny_network: SegmentationNetwork
) -> None:
    both = make(tiny_weights, **{TYPE: "Semisupervised", "semi_supervised.unsupervised_weight": 0.0})
    labelled = view(0)
    student = copy.deepcopy(both[0].student)(labelled["image"])
    wanted = expected(tiny_network, student, labelled["image"], labelled["mask"] != 255)
    assert difference(both, {"labelled": labelled})[0] == pytest.approx(wanted, rel=1e-4)


def test_the_teacher_is_no_part_of_the_student_and_stays_as_it_is(tiny_weights: Path) -> None:
    algorithm, without = make(tiny_weights)
    teacher: Any = algorithm.distillation.teacher._predictor.network
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    assert algorithm.state_dict().keys() == without.state_dict().keys()
    assert len(list(algorithm.parameters())) == len(list(without.parameters()))
    optimizer = torch.optim.SGD(algorithm.parameters(), 0.1)
    for step in range(2):
        optimizer.zero_grad()
        algorithm.train()
        algorithm.training_step({"labelled": view(0)}, TrainProgress(0, step, 0.0))["loss"].backward()
        optimizer.step()
    assert not any(module.training for module in teacher.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_only_the_student_gets_a_gradient(tiny_weights: Path) -> None:
    teacher = open_teacher(teacher_at(tiny_weights), LABELS)
    logits = torch.randn(2, 4, 64, 64, requires_grad=True)
    losses = {"loss": torch.zeros(()), "CrossEntropy": torch.ones(())}
    found = Distillation(teacher, Logits(4.0), 2.0).added(losses, logits, view(0)["image"], view(0)["mask"])
    found["loss"].backward()
    assert set(found) == {"loss", "CrossEntropy", "distillation"}
    assert not found["distillation"].requires_grad
    assert (logits.grad[:, :, :8] == 0).all()  # where the mask is 255
    assert (logits.grad[:, :, 8:] != 0).any()
