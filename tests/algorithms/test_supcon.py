"""Supervised contrastive training: the pixel losses of both views and the contrast between them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from two_views import SETTINGS, TwoLevels, batch

from otx_seg.algorithms import TrainProgress
from otx_seg.algorithms.detcon import DetCon
from otx_seg.algorithms.mixing import paste_labels
from otx_seg.algorithms.pixel_losses import OutputLosses, PixelLosses, WeightedLoss
from otx_seg.algorithms.supcon import SupCon
from otx_seg.algorithms.supervised import Supervised
from otx_seg.losses.cross_entropy import CrossEntropy

LOSSES = OutputLosses({"main": PixelLosses([WeightedLoss(1.0, CrossEntropy([1.0, 1.0]))])})


def make(**changes: Any) -> SupCon:
    torch.manual_seed(1)
    network: Any = TwoLevels()
    detcon = DetCon(network, **SETTINGS)
    return SupCon(network, LOSSES, detcon, **{"weight": 0.6, "interval": 3, "label_mix": 0.0, **changes}).train()


@pytest.mark.parametrize("label_mix", [0.0, 1.0])
def test_both_views_and_the_contrast_count(label_mix: float) -> None:
    algorithm, data = make(label_mix=label_mix), batch(names=("labelled", "second"))
    first, second = data["labelled"], data["second"]
    same = copy.deepcopy(algorithm)
    torch.manual_seed(5)
    losses = algorithm.training_step(data, TrainProgress(0, 3, 0.0))
    torch.manual_seed(5)
    donors = first["image"].roll(1, 0), first["mask"].roll(1, 0)
    image, pasted = paste_labels(second["image"], *donors, label_mix)
    second = {"image": image, "mask": torch.where(pasted == 255, second["mask"], pasted.to(torch.uint8))}
    assert (pasted != 255).any() == (label_mix > 0)
    contrast = same.detcon.training_step({"first crop": first, "second crop": second}, TrainProgress(0, 3, 0.0))["loss"]
    entropies = [
        nn.functional.cross_entropy(same.network(view["image"]), view["mask"].long()) for view in (first, second)
    ]
    torch.testing.assert_close(losses["contrast"], 0.6 * contrast.detach())
    torch.testing.assert_close(losses["loss"], sum(entropies) / 2 + 0.6 * contrast)


def test_between_the_contrasts_it_is_supervised() -> None:
    algorithm, data = make(), batch(names=("labelled", "second"))
    for step in (1, 2, 4):
        losses = algorithm.training_step(data, TrainProgress(0, step, 0.0))
        assert "contrast" not in losses
        expected = nn.functional.cross_entropy(
            algorithm.network(data["labelled"]["image"]), data["labelled"]["mask"].long()
        )
        torch.testing.assert_close(losses["loss"], expected)


def test_without_weight_it_is_supervised_training_step_for_step() -> None:
    algorithm = make(weight=0.0, interval=1)
    plain = Supervised(copy.deepcopy(algorithm.network), LOSSES).train()
    runs = []
    for trained in (algorithm, plain):
        optimizer = torch.optim.SGD([p for p in trained.parameters() if p.requires_grad], lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            trained.training_step(batch(step, names=("labelled", "second")), TrainProgress(0, step, 0.0))[
                "loss"
            ].backward()
            optimizer.step()
            trained.after_step()
        runs.append(trained.deployable().state_dict())
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_gradients_never_reach_the_target() -> None:
    algorithm = make()
    algorithm.training_step(batch(names=("labelled", "second")), TrainProgress(0, 0, 0.0))["loss"].backward()
    assert all(parameter.grad is not None for parameter in algorithm.network.parameters())
    assert all(parameter.grad is None for parameter in algorithm.detcon.target.parameters())
