"""What a workspace fills into the arguments of a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.inputs.resolver import Resolver, open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.verbs.build import build

Says = Callable[[str], Resolver]
LITE, SELF = "Lite-HRNet-s-mod2", "Selfsupervised"
ALL = """data-format: coco,
train: {data-roots: ../a, ann-files: ../a.json},
val: {data-roots: ../b, ann-files: ../b.json}"""


def test_the_template_of_a_workspace_is_called_so(here: Path, drawn_data: Path) -> None:
    build(drawn_data, model="SegNext-t", workspace="w")
    for template, reason in ((None, "that of the workspace; `otx build --model` changes"), ("SegNext-t", "as given")):
        plan = make_plan(complete_request(open_resolver("w"), Request(template=template)))
        assert plan.template_reason.startswith(reason)


def test_a_training_is_planned_with_it(says: Says) -> None:
    resolver = says(ALL)
    resolver.workspace.template.write_text("")  # type: ignore[union-attr]
    plan = make_plan(complete_request(resolver, Request(template=LITE)))
    assert plan.data.data_format == "coco"
    assert plan.data.val_annotations is not None
    # What masks are read from is nothing to training without masks, unless it is asked for.
    plan = make_plan(complete_request(resolver, Request(template=LITE, train_type=SELF)))
    assert plan.data == DataSpec(plan.data.train_root)
    described = Request(DataSpec(data_format="coco"), template=LITE, train_type=SELF)
    with pytest.raises(UsageError, match=r"leave out --data-format"):
        make_plan(complete_request(resolver, described))


def test_a_run_that_is_gone_on_with_has_all(says: Says) -> None:
    request = Request(resume_from="run")
    assert complete_request(says("train: {data-roots: ../none}"), request) is request
