"""Mean Teacher step by step, against the same steps written out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from two_views import SETTINGS as CONTRAST
from two_views import TwoLevels
from two_views import batch as two_views

from otx_seg.algorithms import TrainProgress
from otx_seg.algorithms.detcon import DetCon
from otx_seg.algorithms.mean_teacher import MeanTeacher, drop_uncertain
from otx_seg.algorithms.mixing import mix_boxes, paste_labels
from otx_seg.algorithms.pixel_losses import OutputLosses, PixelLosses, WeightedLoss
from otx_seg.algorithms.prototypes import Prototypes
from otx_seg.algorithms.supervised import Supervised
from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.models.network import SegmentationOutput

ENTROPY = CrossEntropy([1.0, 1.0, 1.0])
WEIGHTED = CrossEntropy([1.3, 1.1, 0.8])
SETTINGS = {
    "unsupervised_weight": 0.7,
    "start_epoch": 1,
    "start_share": 0.1,
    "ramp_share": 0.5,
    "teacher_keep": 0.9,
    "entropy_drop": 0.4,
    "cut_mix": 0.0,
    "label_mix": 0.0,
    "prototypes": None,
    "prototype_weight": 0.0,
    "detcon": None,
    "contrast_weight": 0.0,
}
LATE = TrainProgress(epoch=3, step=30, progress=0.75)


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_seg = nn.Conv2d(4, 3, 1)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.conv_seg(features)
        return result


class Small(nn.Module):
    """A network with batch normalisation: (B, 3, H, W) -> (B, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.network = nn.Module()
        self.network.decode_head = self.main_head = Head()

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs(images).logits

    def outputs(self, images: Tensor) -> SegmentationOutput:
        return SegmentationOutput(self.main_head(self.layers(images.float() / 255)))


def make(**changes: Any) -> MeanTeacher:
    torch.manual_seed(1)
    network: Any = Small()
    losses = (
        OutputLosses({"main": PixelLosses([WeightedLoss(1.0, WEIGHTED)])}),
        PixelLosses([WeightedLoss(1.0, ENTROPY)]),
    )
    return MeanTeacher(network, *losses, **{**SETTINGS, **changes}).train()


def batch(seed: int = 0) -> dict[str, dict[str, Any]]:
    generator = torch.Generator().manual_seed(seed)

    def images(count: int) -> Tensor:
        return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=generator)

    mask = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8, generator=generator)
    outside = torch.zeros(3, 16, 16, dtype=torch.uint8)
    outside[:, :4] = 255
    return {
        "labelled": {"image": images(2), "mask": mask},
        "pasted": {"image": images(2), "mask": mask.flip(0)},
        "unlabelled": {"image": images(3), "strong": images(3), "mask": outside},
    }


@pytest.mark.parametrize("label_mix", [0.0, 1.0])
def test_one_step_written_out(label_mix: float) -> None:
    algorithm, data = make(label_mix=label_mix), batch()
    with torch.no_grad():  # a teacher that differs from the student
        for parameter in algorithm.teacher.parameters():
            parameter.mul_(1.5)
    student, teacher = copy.deepcopy(algorithm.student), copy.deepcopy(algorithm.teacher.module)
    torch.manual_seed(4)
    losses = algorithm.training_step(data, TrainProgress(epoch=3, step=30, progress=0.75))

    probabilities = teacher.eval()(data["unlabelled"]["image"]).softmax(dim=1)
    entropy = -(probabilities * probabilities.log()).sum(dim=1)
    counted = data["unlabelled"]["mask"] == 0  # 3 * 12 * 16 pixels
    pseudo = probabilities.argmax(dim=1).masked_fill(~counted, 255)
    for label in range(3):
        of_it = entropy[pseudo == label].sort(descending=True).values
        if dropped := round(0.4 * 0.25 * len(of_it)):
            pseudo[(pseudo == label) & (entropy >= of_it[dropped - 1])] = 255
    torch.manual_seed(4)
    images, _ = mix_boxes(data["unlabelled"]["strong"], pseudo, 0.0)
    images, true = paste_labels(images, data["pasted"]["image"], data["pasted"]["mask"], label_mix)
    pseudo[true != 255] = 255
    logits = student.train()(torch.cat((data["labelled"]["image"], images)))
    known = WEIGHTED(logits[:2], data["labelled"]["mask"])
    share = (true != 255).sum() / 768
    assert (share > 0) == (label_mix > 0)
    guessed = nn.functional.cross_entropy(logits[2:], pseudo, ignore_index=255)
    unsupervised = 0.7 * ((1 - share) * guessed + share * WEIGHTED(logits[2:], true))
    torch.testing.assert_close(losses["CrossEntropy"], known.detach())
    torch.testing.assert_close(losses["unsupervised"], unsupervised.detach())
    torch.testing.assert_close(losses["loss"], known + unsupervised)
    torch.testing.assert_close(losses["kept pixels"], (pseudo != 255).float().mean())


def two_levels(**changes: Any) -> tuple[MeanTeacher, dict[str, dict[str, Any]]]:
    """A training with a contrast of the features of two levels, and a batch for it: 2 labelled images, 3 others."""
    torch.manual_seed(1)
    network: Any = TwoLevels()
    losses = OutputLosses({"main": PixelLosses([WeightedLoss(1.0, CrossEntropy([1.0, 1.0]))])})
    detcon = DetCon(network, **CONTRAST)
    settings = {**SETTINGS, "detcon": detcon, "contrast_weight": 0.6, "label_mix": 1.0, **changes}
    algorithm = MeanTeacher(
        network, losses, PixelLosses([WeightedLoss(1.0, CrossEntropy([1.0, 1.0]))]), **settings
    ).train()
    data = two_views(names=("labelled", "pasted"))
    images = torch.cat([data["labelled"]["image"], data["pasted"]["image"]])[:3]
    data = {name: {key: value[:2] for key, value in view.items()} for name, view in data.items()}
    data["unlabelled"] = {"image": images, "strong": images.flip(3), "mask": torch.zeros_like(images[:, 0])}
    return algorithm, data


@pytest.mark.parametrize("progress", [0.05, 0.75])
def test_the_contrast_is_that_of_the_same_labels_in_both_images(progress: float) -> None:
    """Of the pasted regions before the teacher's pseudo-labels count, and of both afterwards."""
    algorithm, data = two_levels()
    same = copy.deepcopy(algorithm)
    torch.manual_seed(5)
    losses = algorithm.training_step(data, TrainProgress(3, 30, progress))
    torch.manual_seed(5)
    pseudo = torch.full((3, *data["labelled"]["mask"].shape[1:]), 255)
    if progress > SETTINGS["start_share"]:  # type: ignore[operator]
        pseudo = same._pseudo_labels(data["unlabelled"], SETTINGS["entropy_drop"] * (1 - progress))  # type: ignore[operator]
    images, pseudo = mix_boxes(data["unlabelled"]["strong"], pseudo, 0.0)
    images, true = paste_labels(images, data["pasted"]["image"], data["pasted"]["mask"], 1.0)
    mixed = torch.where(true != 255, true, pseudo)
    assert (mixed == 255).any() or progress == 0.75
    levels = same.student.features(torch.cat((data["labelled"]["image"], images)))
    assert same.detcon is not None
    halves = [level[:2] for level in levels], [level[2:4] for level in levels]
    expected = same.detcon.contrast(
        halves, (data["labelled"]["image"], images[:2]), (data["labelled"]["mask"].long(), mixed[:2])
    )
    torch.testing.assert_close(losses["contrast"], 0.6 * expected.detach())
    assert losses["contrast"] > 0


def test_the_contrast_is_added_and_its_target_follows() -> None:
    algorithm, data = two_levels()
    assert algorithm.detcon is not None
    assert algorithm.detcon.online.network is algorithm.student
    before = copy.deepcopy(algorithm.detcon.target.state_dict())
    losses = algorithm.training_step(data, LATE)
    without, _ = two_levels(detcon=None)
    torch.testing.assert_close(losses["CrossEntropy"], without.training_step(data, LATE)["CrossEntropy"])
    losses["loss"].backward()
    assert all(parameter.grad is not None for parameter in algorithm.detcon.predictor.parameters())
    torch.optim.SGD(algorithm.student.parameters(), lr=0.1).step()
    algorithm.after_step()
    after = algorithm.detcon.target.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_before_its_start_only_true_labels_count() -> None:
    data = batch()
    for early in (TrainProgress(0, 5, 0.5), TrainProgress(5, 5, 0.05)):
        torch.manual_seed(4)
        algorithm = make(label_mix=1.0)
        found = algorithm.training_step(data, early)
        assert float(found["kept pixels"]) == 0
        assert float(found["unsupervised"]) > 0
        assert float(make(label_mix=0.0).training_step(data, early)["unsupervised"]) == 0


def test_prototypes_learn_the_same_labels() -> None:
    torch.manual_seed(2)
    prototypes = Prototypes(4, 3, per_label=2, keep=1.0, contrast_weight=0.2, distance_weight=0.1)
    algorithm, data = make(prototypes=prototypes, prototype_weight=0.3), batch()
    plain = make()
    torch.manual_seed(4)
    with_them = algorithm.training_step(data, LATE)
    torch.manual_seed(4)
    without = plain.training_step(data, LATE)
    torch.testing.assert_close(with_them["CrossEntropy"], without["CrossEntropy"])
    # The classifier's losses on the labels it has, written out; nothing is pasted.
    again = make()
    images = torch.cat((data["labelled"]["image"], data["unlabelled"]["strong"]))
    features = copy.deepcopy(again.student).train().layers(images.float() / 255)
    pseudo = again._pseudo_labels(data["unlabelled"], 0.4 * 0.25)
    mask = data["labelled"]["mask"].long()
    scores, apart = copy.deepcopy(prototypes)(features, torch.cat((mask, pseudo)))
    expected = WEIGHTED(scores[:2], mask) + 0.7 * ENTROPY(scores[2:], pseudo) + apart
    torch.testing.assert_close(with_them["prototypes"], 0.3 * expected.detach())
    with_them["loss"].backward()
    assert all(parameter.grad is not None for parameter in prototypes.parameters())


def test_the_teachers_labels_begin_after_the_start_and_rise() -> None:
    moments = ((0, 0.9), (1, 0.05), (1, 0.1), (1, 0.35), (1, 0.8))
    algorithm = make()
    trust = [algorithm._pseudo_label_weight(TrainProgress(epoch, 0, progress)) for epoch, progress in moments]
    assert trust == [0.0, 0.0, 0.0, pytest.approx(0.5), 1.0]
    assert make(ramp_share=0.0, start_share=0.0)._pseudo_label_weight(TrainProgress(1, 0, 0.0)) == 1.0


def test_without_weight_it_is_supervised_training_step_for_step() -> None:
    algorithm = make(unsupervised_weight=0.0)
    plain = Supervised(
        copy.deepcopy(algorithm.student), OutputLosses({"main": PixelLosses([WeightedLoss(1.0, WEIGHTED)])})
    ).train()
    runs = []
    for trained in (algorithm, plain):
        optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            views = {name: view for name, view in batch(step).items() if name in trained.views}
            trained.training_step(views, LATE)["loss"].backward()
            optimizer.step()
            trained.after_step()
        runs.append(trained.deployable().state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_gradients_reach_the_student_alone() -> None:
    algorithm = make()
    algorithm.training_step(batch(), LATE)["loss"].backward()
    assert all(parameter.grad is not None for parameter in algorithm.student.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in algorithm.teacher.parameters())


def test_the_teacher_begins_as_the_student_and_follows() -> None:
    algorithm = make()
    student, teacher = algorithm.student.state_dict(), algorithm.teacher.module.state_dict()
    assert all(torch.equal(student[name], teacher[name]) for name in student)
    kept, value = 0.0, 0.0
    for step in range(100):
        with torch.no_grad():
            algorithm.student.layers[0].weight.fill_(step)
            algorithm.student.layers[1].running_mean.fill_(step)
        algorithm.after_step()
        kept = min(0.9, (1 + step) / (10 + step)) if step else 0.0
        value = kept * value + (1 - kept) * step
        for followed in (algorithm.teacher.module.layers[0].weight, algorithm.teacher.module.layers[1].running_mean):
            torch.testing.assert_close(followed, torch.full_like(followed, value))
    assert kept == 0.9
    assert (algorithm.student.layers[0].weight == 99).all()


def test_a_teacher_that_keeps_everything_is_frozen() -> None:
    algorithm = make(teacher_keep=1.0)
    before = copy.deepcopy(algorithm.teacher.state_dict())
    with torch.no_grad():
        algorithm.student.layers[0].weight.add_(1.0)
    algorithm.training_step(batch(), LATE)  # changes the student's running statistics
    algorithm.after_step()
    after = algorithm.teacher.module.state_dict()
    assert all(torch.equal(after[n], before[f"module.{n}"]) for n in after if "num_batches" not in n)


def test_the_teacher_never_uses_the_statistics_of_a_batch() -> None:
    algorithm = make()
    assert algorithm.training
    assert not any(module.training for module in algorithm.teacher.modules())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 1.0])
def test_exactly_the_least_certain_share_is_dropped(share: float) -> None:
    torch.manual_seed(0)
    probabilities = torch.randn(2, 5, 10, 10).softmax(dim=1)
    outside = torch.zeros(2, 10, 10, dtype=torch.uint8)
    outside[1, :5] = 255  # 150 pixels are left
    labels = drop_uncertain(probabilities, outside, share)
    assert (labels[1, :5] == 255).all()
    dropped = (labels == 255) & (outside == 0)
    kept, likely = labels != 255, probabilities.argmax(dim=1)
    assert torch.equal(labels[kept], likely[kept])
    entropy = -(probabilities * probabilities.log()).sum(dim=1)
    for label in range(5):
        of_it = (likely == label) & (outside == 0)
        assert int((dropped & of_it).sum()) == round(share * int(of_it.sum()))
        if 0 < share < 1:
            assert entropy[dropped & of_it].min() >= entropy[kept & of_it].max()


def test_a_certain_teacher_has_no_entropy_that_is_not_a_number() -> None:
    probabilities = torch.zeros(1, 2, 2, 2)
    probabilities[:, 0] = 1
    labels = drop_uncertain(probabilities, torch.zeros(1, 2, 2), 0.5)
    assert sorted(labels.flatten().tolist()) == [0, 0, 255, 255]
