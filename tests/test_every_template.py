"""One walk over all shipped templates: each loads, builds, makes finite steps, and exports.

A usual run has one template of each kind of part; `-m slow` has the others.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from every_template import template_names

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
