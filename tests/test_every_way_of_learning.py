"""One step of every way of learning with every shipped template.

A usual run has those of the templates with one of each kind of part that take few seconds; `-m slow` has the others.
"""

from __future__ import annotations

import pytest
import torch
from every_template import template_names
from small_network import at_several_scales, with_further_outputs

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import load
from otx_seg.training.optimizer import build_optimizer, parameter_groups

_LARGEST = 20.0  # GFLOPs of a template in a usual run
_LABELS = 3
_SMALL = {"several outputs": with_further_outputs, "several scales": at_several_scales}

MODES = {
    "mean teacher": {"algo_backend.train_type": "Semisupervised", "semi_supervised.start_share": 0.0},
    "detcon": {"algo_backend.train_type": "Selfsupervised"},
    "supcon": {"learning_parameters.enable_supcon": True},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*template_names(_LARGEST), *_SMALL])
def test_every_way_of_learning_works_with_every_template(name: str, mode: str) -> None:
    template = (_SMALL[name]() if name in _SMALL else load(name)).override(MODES[mode])
    torch.manual_seed(0)
    algorithm = algorithms.build(template, SegmentationNetwork(build_model(template, _LABELS)), [0.5, 0.3, 0.2]).train()
    optimizer = build_optimizer(parameter_groups(algorithm, template), template)
    side = template.input_sizes.nearest(64)
    image = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    mask = torch.randint(0, 3, (2, 2, 2), dtype=torch.uint8)
    mask = mask.repeat_interleave(side // 2, 1).repeat_interleave(side // 2, 2)
    view = {"image": image, "strong": image.flip(3), "mask": mask, "files": ["a", "b"]}
    before = [parameter.detach().clone() for parameter in algorithm.deployable().network.backbone.parameters()]
    loss = algorithm.training_step(dict.fromkeys(algorithm.views, view), TrainProgress(5, 0, 0.9))["loss"]
    loss.backward()
    optimizer.step()
    algorithm.after_step()
    assert loss.isfinite()
    after = algorithm.deployable().network.backbone.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(parameter.isfinite().all() for parameter in algorithm.parameters())
    if mode == "mean teacher":
        assert (algorithm.prototypes is not None) == name.startswith("SegNext")
