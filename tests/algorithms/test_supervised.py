"""One supervised step against the same step written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from otx_seg import algorithms
from otx_seg.algorithms.supervised import Supervised
from otx_seg.errors import UsageError
from otx_seg.labels import Labels, default_colors
from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.losses.dice import Dice
from otx_seg.template import load


def batch() -> dict[str, dict[str, object]]:
    torch.manual_seed(0)
    image = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    mask = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)
    mask[:, :5] = 255
    return {"labelled": {"image": image, "mask": mask, "files": ["a", "b"]}}


class Constant(nn.Module):
    """A network whose logits are parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.randn(2, 3, 64, 64))

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        return self.logits


def test_the_losses_are_weighted_and_summed() -> None:
    network, data = Constant(), batch()
    algorithm = Supervised(network, [(2.0, CrossEntropy()), (0.5, Dice())], stride=1)  # type: ignore[arg-type]
    losses = algorithm.training_step(data)
    mask = data["labelled"]["mask"]
    entropy, dice = CrossEntropy()(network.logits, mask), Dice()(network.logits, mask)
    torch.testing.assert_close(losses["loss"], 2 * entropy + 0.5 * dice)
    torch.testing.assert_close(losses["CrossEntropy"], 2 * entropy.detach())
    losses["loss"].backward()
    assert network.logits.grad is not None
    assert not network.logits.grad[:, :, :5].any()


def test_the_same_loss_twice_counts_twice() -> None:
    network, data = Constant(), batch()
    twice = Supervised(network, [(1.0, CrossEntropy()), (1.0, CrossEntropy())], stride=1)  # type: ignore[arg-type]
    torch.testing.assert_close(
        twice.training_step(data)["loss"], 2 * CrossEntropy()(network.logits, data["labelled"]["mask"])
    )


def test_every_second_pixel_of_every_second_row() -> None:
    network, data = Constant(), batch()
    loss = Supervised(network, [(1.0, CrossEntropy())], stride=2).training_step(data)["loss"]  # type: ignore[arg-type]
    expected = CrossEntropy()(network.logits[:, :, ::2, ::2], data["labelled"]["mask"][:, ::2, ::2])
    torch.testing.assert_close(loss, expected)


def test_build_follows_the_template() -> None:
    labels = Labels(("a", "b", "c"), default_colors(3), None)
    losses = ({"type": "CrossEntropy", "weight": 1.0}, {"type": "Dice", "weight": 3})
    template = load("Lite-HRNet-s-mod2").model_copy(update={"losses": losses})
    algorithm = algorithms.build(template, labels)
    assert algorithm.weights == [1.0, 3.0]
    assert [type(loss) for loss in algorithm.losses] == [CrossEntropy, Dice]
    assert algorithm.deployable().network.decode_head.num_classes == 3
    with pytest.raises(UsageError, match=r"losses\[0\]: needs a number as weight"):
        algorithms.build(template.model_copy(update={"losses": ({"type": "Dice"},)}), labels)
