"""One walk over all shipped templates: each loads, builds, makes finite steps, and exports.

A usual run has one template of each kind of part; `-m slow` has the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from every_template import template_names
from small_network import with_further_outputs

from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.deployment.export import REQUIRED_AGREEMENT, export
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.template import Template, find_templates, load
from otx_seg.training.optimizer import build_optimizer, parameter_groups
from otx_seg.workspace.weights import write_weights

LABELS = Labels(("background", "thing", "other thing"), default_colors(3), 0)


def test_there_are_templates_to_walk_over() -> None:
    assert len(find_templates()) >= 7


def new_network(template: Template) -> SegmentationNetwork:
    return SegmentationNetwork(build_model(template, len(LABELS)))


@pytest.mark.parametrize("name", template_names())
def test_a_template_from_file_to_exported_model(name: str, tmp_path: Path) -> None:
    template = load(name)
    side = template.input_sizes.nearest(64)
    template = template.override({"learning_parameters.input_size": f"{side}x{side}"})
    torch.manual_seed(0)
    algorithm = algorithms.build(template, new_network(template), [0.5, 0.3, 0.2]).train()
    optimizer = build_optimizer(parameter_groups(algorithm, template), template)
    image = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    mask = torch.randint(0, 3, (2, side, side), dtype=torch.uint8)
    batch = {"labelled": {"image": image, "mask": mask, "files": ["a", "b"]}}
    for step in range(2):
        optimizer.zero_grad()
        loss = algorithm.training_step(batch, TrainProgress(0, step, 0.0))["loss"]
        loss.backward()
        optimizer.step()
    assert loss.isfinite()
    learning = {name: parameter.grad for name, parameter in algorithm.named_parameters() if parameter.requires_grad}
    assert not [name for name, gradient in learning.items() if gradient is None]
    # Behind a ReLU that is 0 for these two images, gradients are 0.
    assert sum(bool(gradient.any()) for gradient in learning.values()) > 0.8 * len(learning)
    assert all(parameter.isfinite().all() for parameter in algorithm.parameters())

    weights = tmp_path / "weights.pth"
    write_weights(weights, algorithm.deployable().network.state_dict(), LABELS, template, "random numbers")
    exported = export(weights, tmp_path / "exported")
    assert exported.agreement >= REQUIRED_AGREEMENT
    predictor = load_predictor(exported.model, load(name))
    assert predictor.labels == LABELS
    assert predictor.input_size == (side, side)


MODES = {
    "mean teacher": {"algo_backend.train_type": "Semisupervised", "semi_supervised.start_share": 0.0},
    "detcon": {"algo_backend.train_type": "Selfsupervised"},
    "supcon": {"learning_parameters.enable_supcon": True},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*template_names(), "several"])
def test_every_way_of_learning_works_with_every_template(name: str, mode: str) -> None:
    template = (with_further_outputs() if name == "several" else load(name)).override(MODES[mode])
    torch.manual_seed(0)
    algorithm = algorithms.build(template, new_network(template), [0.5, 0.3, 0.2]).train()
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
