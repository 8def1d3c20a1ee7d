"""Losses between a student and its teacher."""

from __future__ import annotations

import math

import pytest
import torch
from anchors import IGNORED_ROWS, X
from torch import Tensor, nn

from otx_seg import catalogue
from otx_seg.distillation_losses.channel_wise import ChannelWise
from otx_seg.distillation_losses.logits import Logits
from otx_seg.template.losses import distillation_loss_names

LOSSES = catalogue.classes("otx_seg.distillation_losses")
every_loss = pytest.mark.parametrize("name", sorted(LOSSES))
ALL = torch.ones(1, 1, 2, dtype=torch.bool)


def make(name: str, temperature: float = 4.0) -> nn.Module:
    loss: nn.Module = LOSSES[name](temperature=temperature)
    return loss


def example(dtype: torch.dtype = torch.float32, side: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """A student with a gradient, a teacher, and pixels of which a quarter does not count."""
    generator = torch.Generator().manual_seed(5)
    student, teacher = 3 * torch.randn(2, 2, 4, side, side, generator=generator, dtype=torch.float64).to(dtype)
    counted = torch.ones(2, side, side, dtype=torch.bool)
    counted[:, : side // 4] = False
    return student.requires_grad_(), teacher, counted


def test_a_file_is_a_loss() -> None:
    assert {name.title().replace("_", "") for name in distillation_loss_names()} == set(LOSSES)


def test_two_pixels_of_two_labels_by_hand() -> None:
    """At T = 2, logits of 2 ln 3 and 0 are the probabilities 3/4 and 1/4."""
    apart, none = 2 * math.log(3), 0.0
    teacher = torch.tensor([[[[apart, none]], [[none, none]]]], dtype=torch.float64)  # label 0 at the first pixel
    student = torch.zeros_like(teacher)
    of_distribution = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)  # of (3/4, 1/4) from (1/2, 1/2)
    # Labels at the first pixel: 3/4 and 1/4; at the second one the student is right.
    assert Logits(2.0)(student, teacher, ALL).item() == pytest.approx(4 * of_distribution / 2, rel=1e-12)
    # Pixels of the first label: 3/4 and 1/4; in the second channel the student is right.
    assert ChannelWise(2.0)(student, teacher, ALL).item() == pytest.approx(4 * of_distribution / 2, rel=1e-12)


def test_the_numbers_of_another_implementation() -> None:
    index = torch.arange(X.numel(), dtype=torch.float64)
    teacher = (1.5 * torch.cos(0.23 * index)).reshape(X.shape).float()
    everywhere = torch.ones_like(IGNORED_ROWS, dtype=torch.bool)
    assert ChannelWise(4.0)(X, teacher, everywhere).item() == pytest.approx(1.532312, abs=4e-6)
    assert ChannelWise(3.0)(X, teacher, everywhere).item() == pytest.approx(1.510313, abs=4e-6)
    assert Logits(4.0)(X, teacher, everywhere).item() == pytest.approx(0.959258, abs=4e-6)


@every_loss
def test_nothing_to_learn_from_one_who_says_the_same(name: str) -> None:
    student, _, counted = example()
    value = make(name)(student, student.detach(), counted)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-6)
    assert student.grad.abs().max() < 1e-6


@every_loss
def test_it_is_positive_otherwise(name: str) -> None:
    student, teacher, counted = example()
    assert make(name)(student, teacher, counted) > 0.01


def test_what_changes_nothing() -> None:
    student, teacher, counted = example(torch.float64)
    per_channel, per_pixel = torch.randn(2, 4, 1, 1), torch.randn(2, 1, 8, 8)
    for loss, constant in ((ChannelWise(4.0), per_channel), (Logits(4.0), per_pixel)):
        expected = loss(student, teacher, counted).item()
        assert loss(student + constant, teacher, counted).item() == pytest.approx(expected, rel=1e-9)
        assert loss(student, teacher - constant, counted).item() == pytest.approx(expected, rel=1e-9)
    assert ChannelWise(4.0)(student + per_pixel, teacher, counted).item() != pytest.approx(expected, rel=1e-3)


def test_more_pixels_of_the_same_are_no_other_distribution() -> None:
    student, teacher, counted = example(torch.float64)
    larger = [values.repeat_interleave(2, -1).repeat_interleave(2, -2) for values in (student, teacher, counted)]
    for loss in (ChannelWise(4.0), Logits(4.0)):
        assert loss(*larger).item() == pytest.approx(loss(student, teacher, counted).item(), rel=1e-9)


@every_loss
def test_pixels_that_do_not_count_never_do(name: str) -> None:
    student, teacher, counted = example()
    loss = make(name)
    value = loss(student, teacher, counted)
    value.backward()
    left_out = ~counted[:, None].expand_as(student)
    assert torch.equal(student.grad[left_out], torch.zeros(int(left_out.sum())))
    elsewhere = [values.detach().masked_fill(left_out, 30.0) for values in (student, teacher)]
    assert loss(*elsewhere, counted).item() == pytest.approx(value.item(), rel=1e-6)


@every_loss
def test_an_image_without_a_pixel_that_counts_is_left_out(name: str) -> None:
    student, teacher, counted = example()
    alone = make(name)(student[:1], teacher[:1], counted[:1])
    counted[1] = False
    assert make(name)(student, teacher, counted).item() == pytest.approx(alone.item(), rel=1e-6)


@every_loss
def test_no_pixel_counts(name: str) -> None:
    student, teacher, counted = example()
    value = make(name)(student, teacher, torch.zeros_like(counted))
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(student.grad, torch.zeros_like(student))


@every_loss
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    student, teacher, counted = example(torch.float64)
    assert torch.autograd.gradcheck(make(name), (student, teacher, counted), eps=1e-6, atol=1e-7, rtol=1e-5)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_logits_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    student, teacher, counted = example(dtype)
    value = make(name)(student, teacher, counted)
    assert value.dtype == torch.float32
    expected = make(name)(student.detach().double(), teacher.double(), counted)
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


@every_loss
def test_sure_mistakes_stay_finite(name: str) -> None:
    student, teacher, counted = example()
    student = (1e3 * student.detach()).requires_grad_()
    value = make(name)(student, 1e3 * teacher, counted)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()


@every_loss
def test_steps_along_the_gradient_find_the_teacher(name: str) -> None:
    student, teacher, counted = example()
    optimizer, loss = torch.optim.Adam([student], 0.2), make(name)
    for _ in range(400):
        optimizer.zero_grad()
        loss(student, teacher, counted).backward()
        optimizer.step()
    assert loss(student, teacher, counted) < 0.01
