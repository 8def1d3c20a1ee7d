"""DetCon-B step by step, against the same steps written out."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from two_views import SETTINGS, TwoLevels, batch

from otx_seg.algorithms import TrainProgress
from otx_seg.algorithms.contrast import draw_regions, majority, pool_regions, region_contrast
from otx_seg.algorithms.detcon import DetCon

START = TrainProgress(epoch=0, step=0, progress=0.0)


def make(**changes: Any) -> DetCon:
    torch.manual_seed(1)
    network: Any = TwoLevels()
    return DetCon(network, **{**SETTINGS, **changes}).train()


def test_one_step_written_out() -> None:
    algorithm, data = make(), batch()
    with torch.no_grad():  # a target that differs from the online network
        for parameter in algorithm.target.parameters():
            parameter.mul_(1.5)
    kept = SimpleNamespace(
        online=copy.deepcopy(algorithm.online),
        predictor=copy.deepcopy(algorithm.predictor),
        target=copy.deepcopy(algorithm.target.module),
    )
    torch.manual_seed(3)
    losses = algorithm.training_step(data, START)

    torch.manual_seed(3)
    dense, seen, grids = [], [], []
    for view in (data["first crop"], data["second crop"]):
        for network, found in ((kept.online.network, dense), (kept.target.network, seen)):
            fine, deep = network.features(view["image"])
            deep = nn.functional.interpolate(deep, (4, 4), mode="bilinear", align_corners=False)
            found.append(torch.cat((fine, deep), dim=1))
        grids.append(majority(view["mask"], (4, 4)))
    drawn = [draw_regions(grid, 4) for grid in grids]
    predictions, targets = [], []
    for index in (0, 1):
        pooled = pool_regions(dense[index], grids[index], drawn[index]).flatten(0, 1)
        predictions.append(kept.predictor(kept.online.projector(pooled)).view(3, 4, 5))
        pooled = pool_regions(seen[index], grids[index], drawn[index]).flatten(0, 1)
        targets.append(kept.target.projector(pooled).view(3, 4, 5))
    expected = region_contrast(tuple(predictions), tuple(targets), tuple(drawn), 0.2)  # type: ignore[arg-type]
    torch.testing.assert_close(losses["loss"], expected)


def test_gradients_reach_the_online_network_alone() -> None:
    algorithm = make()
    algorithm.training_step(batch(), START)["loss"].backward()
    for part in (algorithm.online.network.stem, algorithm.online.projector, algorithm.predictor):
        assert all(parameter.grad is not None for parameter in part.parameters())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in algorithm.target.parameters())


@pytest.mark.parametrize("keep", [0.9, 1.0])
def test_the_target_follows(keep: float) -> None:
    algorithm = make(target_keep=keep)
    assert torch.equal(algorithm.online.network.stem.weight, algorithm.target.module.network.stem.weight)
    with torch.no_grad():
        algorithm.online.network.stem.weight.fill_(1.0)
        algorithm.target.module.network.stem.weight.fill_(2.0)
    algorithm.after_step()
    followed = algorithm.target.module.network.stem.weight
    torch.testing.assert_close(followed, torch.full_like(followed, keep * 2 + (1 - keep)))


def test_regions_become_easier_to_tell_apart() -> None:
    algorithm, data = make(), batch()
    data["second crop"] = data["first crop"]
    optimizer = torch.optim.Adam([p for p in algorithm.parameters() if p.requires_grad], 1e-2)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = algorithm.training_step(data, START)["loss"]
        loss.backward()
        optimizer.step()
        algorithm.after_step()
        values.append(float(loss.detach()))
    assert sum(values[-5:]) < 0.8 * sum(values[:5])
