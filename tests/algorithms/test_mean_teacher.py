"""Mean Teacher step by step, against the same steps written out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from otx_seg.algorithms import Moment
from otx_seg.algorithms.mean_teacher import MeanTeacher, drop_uncertain, mix_boxes
from otx_seg.algorithms.pixel_losses import PixelLosses
from otx_seg.algorithms.supervised import Supervised
from otx_seg.losses.cross_entropy import CrossEntropy

ENTROPY = CrossEntropy([0.2, 0.3, 0.5], rarity_power=0.0)
SETTINGS = {
    "unsupervised_weight": 0.7,
    "start_epoch": 1,
    "ramp_share": 0.5,
    "teacher_keep": 0.9,
    "entropy_drop": 0.4,
    "cut_mix": 0.0,
}
LATE = Moment(epoch=3, step=30, progress=0.75)


class Small(nn.Module):
    """A network with batch normalisation: (B, 3, H, W) -> (B, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1))

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.layers(images.float() / 255)
        return result


def make(**changes: Any) -> MeanTeacher:
    torch.manual_seed(1)
    network: Any = Small()
    return MeanTeacher(network, PixelLosses([(1.0, ENTROPY)]), **{**SETTINGS, **changes}).train()


def batch(seed: int = 0) -> dict[str, dict[str, Any]]:
    generator = torch.Generator().manual_seed(seed)

    def images(count: int) -> Tensor:
        return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=generator)

    mask = torch.randint(0, 3, (2, 16, 16), dtype=torch.uint8, generator=generator)
    outside = torch.zeros(3, 16, 16, dtype=torch.uint8)
    outside[:, :4] = 255
    return {
        "labelled": {"image": images(2), "mask": mask},
        "unlabelled": {"image": images(3), "strong": images(3), "mask": outside},
    }


def test_one_step_written_out() -> None:
    algorithm, data = make(), batch()
    with torch.no_grad():  # a teacher that differs from the student
        for parameter in algorithm.teacher.parameters():
            parameter.mul_(1.5)
    student, teacher = copy.deepcopy(algorithm.student), copy.deepcopy(algorithm.teacher.module)
    losses = algorithm.training_step(data, LATE)

    probabilities = teacher.eval()(data["unlabelled"]["image"]).softmax(dim=1)
    entropy = -(probabilities * probabilities.log()).sum(dim=1)
    counted = data["unlabelled"]["mask"] == 0  # 3 * 12 * 16 pixels
    limit = entropy[counted].sort(descending=True).values[round(0.4 * 0.25 * 576) - 1]
    pseudo = probabilities.argmax(dim=1).masked_fill(~counted | (entropy >= limit), 255)
    logits = student.train()(torch.cat((data["labelled"]["image"], data["unlabelled"]["strong"])))
    expected_known = nn.functional.cross_entropy(logits[:2], data["labelled"]["mask"].long())
    expected_guessed = nn.functional.cross_entropy(logits[2:], pseudo, ignore_index=255)
    torch.testing.assert_close(losses["CrossEntropy"], expected_known.detach())
    torch.testing.assert_close(losses["unsupervised"], 0.7 * expected_guessed.detach())
    torch.testing.assert_close(losses["loss"], expected_known + 0.7 * expected_guessed)
    torch.testing.assert_close(losses["kept pixels"], torch.tensor((576 - 58) / 768))


def test_the_weight_begins_after_the_start_epoch_and_rises() -> None:
    algorithm = make()
    assert [algorithm._weight(Moment(epoch, 0, progress)) for epoch, progress in ((0, 0.9), (1, 0.1), (1, 0.25))] == [
        0.0,
        pytest.approx(0.14),
        pytest.approx(0.35),
    ]
    assert algorithm._weight(LATE) == 0.7
    assert make(ramp_share=0.0)._weight(Moment(1, 0, 0.0)) == 0.7


def test_without_weight_it_is_supervised_training_step_for_step() -> None:
    algorithm = make(unsupervised_weight=0.0)
    plain = Supervised(copy.deepcopy(algorithm.student), PixelLosses([(1.0, ENTROPY)])).train()
    runs = []
    for trained in (algorithm, plain):
        optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            trained.training_step(batch(step), LATE)["loss"].backward()
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
    with torch.no_grad():
        algorithm.student.layers[0].weight.fill_(1.0)
        algorithm.teacher.module.layers[0].weight.fill_(2.0)
        algorithm.student.layers[1].running_mean.fill_(1.0)
        algorithm.teacher.module.layers[1].running_mean.fill_(2.0)
    algorithm.after_step()
    for value in (algorithm.teacher.module.layers[0].weight, algorithm.teacher.module.layers[1].running_mean):
        torch.testing.assert_close(value, torch.full_like(value, 1.9))
    assert (algorithm.student.layers[0].weight == 1).all()


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
    assert int(dropped.sum()) == round(share * 150)
    kept = labels != 255
    assert torch.equal(labels[kept], probabilities.argmax(dim=1)[kept])
    entropy = -(probabilities * probabilities.log()).sum(dim=1)
    if 0 < share < 1:
        assert entropy[dropped].min() >= entropy[kept].max()


def test_a_certain_teacher_has_no_entropy_that_is_not_a_number() -> None:
    probabilities = torch.zeros(1, 2, 2, 2)
    probabilities[:, 0] = 1
    labels = drop_uncertain(probabilities, torch.zeros(1, 2, 2), 0.5)
    assert sorted(labels.flatten().tolist()) == [0, 0, 255, 255]


def test_boxes_come_with_their_labels() -> None:
    torch.manual_seed(0)
    images = torch.arange(4).view(4, 1, 1, 1).expand(4, 3, 20, 30).to(torch.uint8)
    labels = torch.arange(4).view(4, 1, 1).expand(4, 20, 30)
    mixed, mixed_labels = mix_boxes(images, labels, 1.0)
    for index in range(4):
        other = mixed_labels[index] != index
        assert (mixed_labels[index][other] == (index - 1) % 4).all()
        assert 0.4 < other.float().mean() < 0.6
        rows, columns = other.any(dim=1), other.any(dim=0)
        assert torch.equal(other, rows[:, None] & columns[None])  # a box
    assert all(torch.equal(mixed[:, channel].long(), mixed_labels) for channel in range(3))
    same, same_labels = mix_boxes(images, labels, 0.0)
    assert torch.equal(same, images)
    assert torch.equal(same_labels, labels)
