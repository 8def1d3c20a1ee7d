"""What holds for every loss."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from anchors import WEIGHTS
from torch import Tensor, nn

from otx_seg import catalogue

LOSSES = catalogue.classes("otx_seg.losses")
WITHOUT_FREE_CHOICE = {"Boundary", "Rmi", "SigmoidFocal"}
"""Those that are not 0 or at their least where a softmax is right everywhere."""


def make(name: str) -> nn.Module:
    kind: Any = LOSSES[name]
    takes_weights = "label_weights" in inspect.signature(kind).parameters
    loss: nn.Module = kind(label_weights=WEIGHTS) if takes_weights else kind()
    return loss


def example(name: str, dtype: torch.dtype = torch.float32, side: int = 16) -> tuple[Tensor, Tensor]:
    """Logits with a gradient, and a mask of which a quarter is ignored."""
    generator = torch.Generator().manual_seed(3)
    binary = getattr(LOSSES[name], "is_binary", False)
    channels, labels = (1, 2) if binary else (4, 4)
    logits = torch.randn(2, channels, side, side, generator=generator, dtype=torch.float64)
    mask = torch.randint(0, labels, (2, side // 4, side // 4), generator=generator)
    mask = mask.repeat_interleave(4, 1).repeat_interleave(4, 2).to(torch.uint8)
    mask[:, : side // 4] = 255
    return logits.to(dtype).requires_grad_(), mask


every_loss = pytest.mark.parametrize("name", sorted(LOSSES))


@every_loss
def test_ignored_pixels_never_count(name: str) -> None:
    loss, (logits, mask) = make(name), example(name)
    value = loss(logits, mask)
    value.backward()
    ignored = (mask == 255)[:, None].expand_as(logits)
    assert torch.equal(logits.grad[ignored], torch.zeros(int(ignored.sum())))
    assert logits.grad.abs().sum() > 0
    changed = logits.detach().where(~ignored, torch.tensor(30.0))
    assert loss(changed, mask).item() == pytest.approx(value.item(), rel=1e-6)


@every_loss
def test_all_ignored_is_zero_with_a_gradient(name: str) -> None:
    logits, mask = example(name)
    value = make(name)(logits, torch.full_like(mask, 255))
    value.backward()
    assert value.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@every_loss
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    logits, mask = example(name, torch.float64, side=12)
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(make(name), (logits, mask), eps=1e-6, atol=1e-5, rtol=1e-3)


@every_loss
def test_autocast_changes_nothing(name: str) -> None:
    loss, (logits, mask) = make(name), example(name)
    expected = loss(logits, mask)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(logits, mask)
    assert inside.dtype == torch.float32
    assert inside.item() == pytest.approx(expected.item(), rel=1e-6)


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_logits_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    loss, (logits, mask) = make(name), example(name, dtype)
    value = loss(logits, mask)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(logits.detach().double(), mask).item(), rel=1e-4)
    value.backward()
    assert torch.isfinite(logits.grad).all()


@every_loss
@pytest.mark.parametrize("scale", [0.0, 1e3])
def test_no_difference_and_sure_mistakes_stay_finite(name: str, scale: float) -> None:
    logits, mask = example(name)
    logits = (logits.detach() * scale).requires_grad_()
    value = make(name)(logits, mask)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@every_loss
def test_steps_along_the_gradient_find_the_labels(name: str) -> None:
    loss, (logits, mask) = make(name), example(name, side=16)
    optimizer = torch.optim.Adam([logits], 0.5)
    for _ in range(60):
        optimizer.zero_grad()
        loss(logits, mask).backward()
        optimizer.step()
    found = (logits[:, 0] > 0).to(mask) if logits.shape[1] == 1 else logits.argmax(dim=1).to(mask)
    assert (found == mask)[mask != 255].float().mean() > 0.95


@every_loss
def test_a_mask_of_one_label_is_enough(name: str) -> None:
    logits, mask = example(name)
    value = make(name)(logits, torch.zeros_like(mask))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@every_loss
def test_the_weights_are_no_part_of_the_state(name: str) -> None:
    assert not make(name).state_dict()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@every_loss
def test_the_same_on_a_gpu(name: str) -> None:
    loss, (logits, mask) = make(name), example(name)
    expected = loss(logits, mask).item()
    assert loss.cuda()(logits.detach().cuda(), mask.cuda()).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("CrossEntropy", {"label_smoothing": 1.0}, "label_smoothing must be from 0 to below 1, not 1.0"),
        ("CrossEntropy", {"weighted_share": -0.1}, "weighted_share must be from 0 to 1, not -0.1"),
        ("Dice", {"smooth": -1.0}, "smooth must be 0 or more, not -1.0"),
        ("Iou", {"smooth": -1.0}, "smooth must be 0 or more"),
        ("Tversky", {"false_negatives": 0.0}, "false_negatives must be above 0, not 0.0"),
        ("TopK", {"share": 0.0}, "share must be above 0, up to 1, not 0.0"),
        ("OhemCrossEntropy", {"threshold": 0.0}, "threshold must be above 0, up to 1, not 0.0"),
        ("Focal", {"gamma": -1.0}, "gamma must be 0 or more"),
        ("SigmoidFocal", {"gamma": -1.0}, "gamma must be 0 or more"),
        ("SigmoidFocal", {"alpha": 2.0}, "alpha must be from 0 to 1, not 2.0"),
        ("BinaryCrossEntropy", {"positive_weight": 0.0}, "positive_weight must be above 0, not 0.0"),
        ("BinaryDice", {"smooth": 0.0}, "smooth must be above 0, not 0.0"),
        ("BinaryIou", {"smooth": 0.0}, "smooth must be above 0, not 0.0"),
        ("EdgeCrossEntropy", {"width": 4}, "width must be an odd number from 3 on, not 4"),
        ("EdgeCrossEntropy", {"edge_share": 1.5}, "edge_share must be from 0 to 1, not 1.5"),
        ("Rmi", {"pooling": "mean"}, "pooling must be max or average, not 'mean'"),
        ("Rmi", {"pixels": "tanh"}, "pixels must be sigmoid or softmax, not 'tanh'"),
        ("Rmi", {"pixel_share": 2.0}, "pixel_share must be from 0 to 1, not 2.0"),
    ],
)
def test_numbers_out_of_range(name: str, arguments: dict[str, Any], says: str) -> None:
    kind: Any = LOSSES[name]
    required = inspect.signature(kind).parameters.get("label_weights")
    weights = {"label_weights": WEIGHTS} if required is not None and required.default is required.empty else {}
    with pytest.raises(ValueError, match=says):
        kind(**weights, **arguments)
