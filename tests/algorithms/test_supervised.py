"""One supervised step against the same step written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_network import with_further_outputs
from torch import Tensor, nn

from otx_seg import algorithms
from otx_seg.algorithms.pixel_losses import OutputLosses, PixelLosses, WeightedLoss
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.algorithms.supervised import Supervised
from otx_seg.errors import UsageError
from otx_seg.losses import dice
from otx_seg.losses.cross_entropy import CrossEntropy
from otx_seg.losses.dice import Dice
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork, SegmentationOutput
from otx_seg.template import load

START = TrainProgress(epoch=0, step=0, progress=0.0)
WEIGHTS = [1.3, 1.1, 0.8]
ENTROPY = CrossEntropy(WEIGHTS)


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

        self.channels = {"main": 3}

    def outputs(self, images: Tensor) -> SegmentationOutput:
        assert images.dtype == torch.uint8
        return SegmentationOutput(self.logits)


def of_main(*losses: tuple[float, nn.Module]) -> OutputLosses:
    return OutputLosses({"main": PixelLosses([WeightedLoss(weight, loss) for weight, loss in losses])})


class ShareOfFirst(nn.Module):
    """Another loss, different from cross-entropy."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return logits.softmax(dim=1)[:, 0].mean()


def test_the_losses_are_weighted_and_summed() -> None:
    network, data = Constant(), batch()
    algorithm = Supervised(network, of_main((2.0, ENTROPY), (0.5, ShareOfFirst())))  # type: ignore[arg-type]
    losses = algorithm.training_step(data, START)
    mask = data["labelled"]["mask"]
    entropy, share = ENTROPY(network.logits, mask), ShareOfFirst()(network.logits, mask)
    torch.testing.assert_close(losses["loss"], 2 * entropy + 0.5 * share)
    torch.testing.assert_close(losses["CrossEntropy"], 2 * entropy.detach())
    torch.testing.assert_close(losses["ShareOfFirst"], 0.5 * share.detach())
    losses["loss"].backward()
    assert network.logits.grad is not None


def test_the_same_loss_twice_counts_twice() -> None:
    network, data = Constant(), batch()
    twice = Supervised(network, of_main((1.0, ENTROPY), (1.0, ENTROPY)))  # type: ignore[arg-type]
    loss = twice.training_step(data, START)["loss"]
    torch.testing.assert_close(loss, 2 * ENTROPY(network.logits, data["labelled"]["mask"]))


def test_build_follows_the_template() -> None:
    entropy = {"type": "CrossEntropy"}
    losses = ({**entropy, "weight": 1.5}, {**entropy, "weight": 3})
    template = load("Lite-HRNet-s-mod2").model_copy(update={"losses": losses})
    network: Any = Constant()
    algorithm = algorithms.build(template, network, WEIGHTS)
    built = algorithm.losses.by_output["main"]
    assert [part.weight for part in built.losses] == [1.5, 3.0]
    assert [type(part.loss) for part in built.losses] == [CrossEntropy, CrossEntropy]
    assert torch.equal(built.losses[0].loss.label_weights, ENTROPY.label_weights)
    assert algorithm.deployable() is network
    for weight in (None, 0, -1.0, True):
        wrong = template.model_copy(update={"losses": ({"type": "CrossEntropy", "weight": weight},)})
        with pytest.raises(UsageError, match=r"losses\[0\]: needs a number above 0 as weight"):
            algorithms.build(wrong, network, WEIGHTS)
    refused = ({"type": "CrossEntropy", "weight": 1.0, "label_weights": [1, 1, 1]},)
    with pytest.raises(
        UsageError, match=r"losses\[0\]: remove `label_weights`, they are learning_parameters.class_weights"
    ):
        algorithms.build(template.model_copy(update={"losses": refused}), network, WEIGHTS)


def test_build_follows_the_name_of_a_loss() -> None:
    network: Any = Constant()
    for name, types in (
        ("cross_entropy", [CrossEntropy]),
        ("dice", [Dice]),
        ("cross_entropy_dice", [CrossEntropy, Dice]),
    ):
        template = load("Lite-HRNet-s-mod2").override({"learning_parameters.loss": name})
        losses = algorithms.build(template, network, WEIGHTS).losses.by_output["main"]
        assert [type(part.loss) for part in losses.losses] == types
        assert [part.weight for part in losses.losses] == [1.0] * len(types)


def test_the_losses_of_all_outputs_are_added() -> None:
    torch.manual_seed(2)
    output = SegmentationOutput(torch.randn(2, 3, 4, 4), {"aux_0": torch.randn(2, 3, 4, 4)})
    mask = torch.randint(0, 3, (2, 4, 4))
    losses = OutputLosses(
        {"main": PixelLosses([WeightedLoss(2.0, ENTROPY)]), "aux_0": PixelLosses([WeightedLoss(0.4, ENTROPY)])}
    )(output, mask)
    main, further = 2 * ENTROPY(output.logits, mask), 0.4 * ENTROPY(output.others["aux_0"], mask)
    torch.testing.assert_close(losses, {"loss": main + further, "CrossEntropy": main, "aux_0 CrossEntropy": further})


def test_outputs_and_losses_go_together() -> None:
    template = with_further_outputs()
    network = SegmentationNetwork(build_model(template, 3))
    built = algorithms.build(template, network, WEIGHTS).losses.by_output
    assert {name: [part.weight for part in losses.losses] for name, losses in built.items()} == {
        "main": [1.0], "decode_0": [0.4], "aux_0": [0.3, 0.2],
    }  # fmt: skip
    without = template.model_copy(update={"losses": {"decode_0": template.losses["decode_0"]}})  # type: ignore[call-overload, index]
    with pytest.raises(UsageError, match=r"model\.auxiliary_head: its output has no loss.*losses\.aux_0"):
        algorithms.build(without, network, WEIGHTS)


class Sharp(nn.Module):
    """A loss that takes no bytes, and does not look at its argument before the first batch."""

    def __init__(self, gamma: float, as_is: bool = False) -> None:
        super().__init__()
        self.gamma, self.as_is = gamma, as_is

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, mask if self.as_is else mask.long()) ** self.gamma


@pytest.mark.parametrize("arguments", [{"gamma": "2"}, {"gamma": 2.0, "as_is": True}])
def test_a_new_loss_that_fails_on_masks_is_refused(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sharp, "__module__", dice.__name__)
    monkeypatch.setattr(dice, "Sharp", Sharp, raising=False)
    losses = ({"type": "Sharp", "weight": 1.0, **arguments},)
    template = load("Lite-HRNet-s-mod2").model_copy(update={"losses": losses})
    with pytest.raises(UsageError, match=r"losses\[0\]: Sharp does not compare"):
        algorithms.build(template, SegmentationNetwork(build_model(template, 3)), WEIGHTS)


def test_a_loss_that_cannot_look_at_an_output_is_refused() -> None:
    template = with_further_outputs()
    boundaries = {**template.model["auxiliary_head"], "num_classes": 1}
    template = template.model_copy(update={"model": {**template.model, "auxiliary_head": boundaries}})
    network = SegmentationNetwork(build_model(template, 3))
    assert network.channels == {"main": 3, "decode_0": 3, "aux_0": 1}
    with pytest.raises(UsageError, match=r"losses\.aux_0\[0\]: CrossEntropy does not compare .* 1 channel"):
        algorithms.build(template, network, WEIGHTS)
