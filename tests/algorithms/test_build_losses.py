"""From the losses a template lists to what a training minimises."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from otx_seg.algorithms.build_losses import build_losses, takes_label_weights
from otx_seg.algorithms.pixel_losses import PixelLosses
from otx_seg.errors import UsageError
from otx_seg.losses.binary_cross_entropy import BinaryCrossEntropy
from otx_seg.losses.rmi import Rmi
from otx_seg.losses.sigmoid_focal import SigmoidFocal
from otx_seg.models.network import two_logits
from otx_seg.targets.edges import Edges
from otx_seg.template import Template, load
from otx_seg.template.losses import loss_names

WEIGHTS = (0.5, 1.0, 3.0)


def listing(*losses: dict[str, Any]) -> Template:
    return load("Lite-HRNet-s-mod2").model_copy(update={"losses": losses})


def build(*losses: dict[str, Any], channels: int = 3, label_weights: tuple[float, ...] = WEIGHTS) -> PixelLosses:
    return build_losses(listing(*losses), "main", channels, label_weights)


def test_which_losses_get_label_weights() -> None:
    cases: list[tuple[dict[str, Any], list[float] | None]] = [
        ({"type": "CrossEntropy"}, [*WEIGHTS]),
        ({"type": "CrossEntropy", "weighted": False}, [1.0, 1.0, 1.0]),
        ({"type": "Rmi"}, None),
        ({"type": "Rmi", "weighted": True}, [*WEIGHTS]),
    ]
    for arguments, expected in cases:
        (part,) = build({**arguments, "weight": 2.0}).losses
        found = part.loss.label_weights
        assert (None if found is None else found.tolist()) == expected
        assert takes_label_weights(listing({**arguments, "weight": 1.0})) == (expected == [*WEIGHTS])


def test_a_target_takes_the_place_of_the_mask() -> None:
    losses = build({"type": "BinaryCrossEntropy", "weight": 2.0, "target": {"type": "Edges", "width": 5}}, channels=1)
    mask, logits = torch.randint(0, 3, (1, 20, 20), dtype=torch.uint8), torch.randn(1, 1, 20, 20)
    mask[:, :4] = 255
    expected = 2 * BinaryCrossEntropy()(logits, Edges(5)(mask))
    torch.testing.assert_close(losses(logits, mask)["loss"], expected)
    torch.testing.assert_close(losses(logits, mask)["BinaryCrossEntropy"], expected)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"type": "Dice", "weighted": "yes"}, r"losses\[0\]: weighted must be true or false, not 'yes'"),
        ({"type": "SigmoidFocal", "weighted": True}, r"remove `weighted`, SigmoidFocal has no label weights"),
        ({"type": "Tversky", "smooth": -1}, r"losses\[0\]: smooth must be above 0, not -1"),
        ({"type": "Dice", "target": "Edges"}, r"target must be \{type: NAME, \.\.\.\}, not 'Edges'"),
        ({"type": "Dice", "target": {"type": "Edge"}}, r"target: unknown type 'Edge'; did you mean 'Edges'"),
        ({"type": "Dice", "target": {"type": "Edges", "width": 2}}, r"target: width must be an odd number from 3"),
        ({"type": "Dice", "target": {"type": "Edges", "side": 3}}, r"target: Edges does not accept"),
        ({"type": "BinaryDice"}, r"BinaryDice does not compare an output of 3 channels with .*; it is for one channel"),
        ({"type": "Focal", "gama": 1}, r"Focal does not accept these arguments"),
        ({"type": "Lovasz"}, r"unknown type 'Lovasz'; did you mean 'LovaszSoftmax'"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build({"weight": 1.0, **arguments})


def test_a_loss_of_two_labels_needs_two_or_a_target() -> None:
    with pytest.raises(UsageError, match=r"masks of 3 labels; it is for two labels, or needs a target such as"):
        build({"type": "BinaryDice", "weight": 1.0}, channels=1)
    assert build({"type": "BinaryDice", "weight": 1.0}, channels=1, label_weights=(1.0, 1.0))
    with pytest.raises(UsageError, match=r"an output of 1 channels with masks of 2 labels \(without background"):
        build({"type": "Dice", "weight": 1.0, "background": False}, channels=1, label_weights=(1.0, 1.0))


@pytest.mark.parametrize("name", [name for name in loss_names() if not name.startswith("binary")])
def test_every_name_makes_a_loss(name: str) -> None:
    template = load("Lite-HRNet-s-mod2").override({"learning_parameters.loss": name})
    losses = build_losses(template, "main", 3, WEIGHTS)
    logits = torch.randn(2, 3, 32, 32, requires_grad=True)
    found = losses(logits, torch.randint(0, 3, (2, 32, 32), dtype=torch.uint8))
    found["loss"].backward()
    assert torch.isfinite(found["loss"])
    assert logits.grad.abs().sum() > 0
    assert len(found) == 1 + len(losses.losses)


def test_a_name_that_does_not_fit_is_named() -> None:
    template = load("Lite-HRNet-s-mod2").override({"learning_parameters.loss": "binary_dice"})
    with pytest.raises(UsageError, match=r"^learning_parameters\.loss=binary_dice: BinaryDice does not compare"):
        build_losses(template, "main", 3, WEIGHTS)


def test_binary_losses_take_the_log_odds_of_two_channels() -> None:
    logits, mask = torch.randn(2, 2, 8, 8), torch.randint(0, 2, (2, 8, 8), dtype=torch.uint8)
    losses = build({"type": "BinaryCrossEntropy", "weight": 1.0}, channels=2, label_weights=(1.0, 1.0))
    of_two = torch.nn.functional.cross_entropy(logits, mask.long())
    torch.testing.assert_close(losses(logits, mask)["loss"], of_two)


@pytest.mark.parametrize("name", loss_names())
def test_losses_of_a_network_with_one_channel(name: str) -> None:
    """Those of a softmax see two logits, those of sigmoids the one that there is; all learn the same direction."""
    template = load("Lite-HRNet-s-mod2").override(
        {"learning_parameters.binary": True, "learning_parameters.loss": name}
    )
    losses = build_losses(template, "main", 2, (0.5, 2.0))
    one = torch.zeros(1, 1, 24, 24, requires_grad=True)
    mask = torch.zeros(1, 24, 24, dtype=torch.uint8)
    mask[:, 6:15, 6:15] = 1
    losses(two_logits(one), mask)["loss"].backward()
    gradient = one.grad[0, 0]
    assert gradient[8:13, 8:13].sum() <= 0 <= gradient[18:].sum()
    assert gradient.abs().sum() > 0


def test_losses_of_sigmoids_see_one_channel() -> None:
    one, mask = torch.randn(1, 1, 24, 24), torch.randint(0, 2, (1, 24, 24), dtype=torch.uint8)
    template = load("Lite-HRNet-s-mod2").override({"learning_parameters.binary": True})
    for loss in (SigmoidFocal(), Rmi()):
        listed = template.model_copy(update={"losses": ({"type": type(loss).__name__, "weight": 1.0},)})
        found = build_losses(listed, "main", 2, (1.0, 1.0))(two_logits(one), mask)["loss"]
        torch.testing.assert_close(found, loss(one, mask))
