"""What a training begins with: where its weights come from, and how fast they learn."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from otx_seg.datasets import DEFAULT_SEED, DataSpec, open_training
from otx_seg.models import build_model
from otx_seg.template import load
from otx_seg.training.optimizer import parameter_groups
from otx_seg.training.setup.build import Beginning, begin
from otx_seg.training.setup.plan import Request, make_plan

SLOW_BACKBONE, EVEN = "DDRNet-23-slim", "Lite-HRNet-s-mod2"


def beginning(drawn_data: Path, template: str | Path, pretrained: str) -> Beginning:
    spec = DataSpec(drawn_data / "train")
    plan = make_plan(Request(spec, template=template, parameters={"learning_parameters.pretrained": pretrained}))
    return begin(plan, open_training(spec, DEFAULT_SEED))


def rates(begun: Beginning) -> set[float]:
    return {group.rate for group in parameter_groups(begun.network, begun.plan.template)}


def test_a_backbone_from_random_weights_learns_as_fast_as_the_heads(drawn_data: Path, tmp_path: Path) -> None:
    random = beginning(drawn_data, SLOW_BACKBONE, "none")
    assert rates(random) == {10.0}
    decays = {group.decay for group in parameter_groups(random.network, random.plan.template)}
    assert decays == {0.0, 1.0}  # norms and biases do not decay, as before
    assert random.origin.endswith("as pretrained: none asks for, and learns as fast as the rest of the network")
    # The template in the run's folder says so, and is one to begin from.
    (tmp_path / "template.yaml").write_text(random.plan.template.as_yaml())
    again = beginning(drawn_data, tmp_path / "template.yaml", "none")
    assert again.plan.template.parameter_groups == random.plan.template.parameter_groups


def test_a_pretrained_backbone_keeps_its_own_rate(drawn_data: Path, tmp_path: Path) -> None:
    file = tmp_path / "backbone.pth"
    torch.save(build_model(SLOW_BACKBONE, 2).backbone.state_dict(), file)
    pretrained = beginning(drawn_data, SLOW_BACKBONE, str(file))
    assert rates(pretrained) == {1.0, 10.0}
    assert pretrained.plan.template.parameter_groups == load(SLOW_BACKBONE).parameter_groups


@pytest.mark.parametrize("template", [EVEN, "RegSeg48"])
def test_other_templates_stay_as_they_are(drawn_data: Path, template: str) -> None:
    """Their parts learn alike, or they have no published weights that their rates could be for."""
    begun = beginning(drawn_data, template, "none")
    assert begun.plan.template.parameter_groups == load(template).parameter_groups
    assert begun.origin.endswith(" asks for")
