"""What a training in a workspace begins with, and is compared with."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_network import small_template

from otx_seg.datasets import DataSpec, Fold
from otx_seg.errors import UsageError
from otx_seg.inputs.last_round import with_last_round
from otx_seg.inputs.resolver import open_resolver
from otx_seg.inputs.training import complete_request
from otx_seg.training.recorded_data import RecordedData, read_recorded
from otx_seg.training.setup.plan import Request, make_plan
from otx_seg.verbs.add_data import add_data
from otx_seg.verbs.build import build
from otx_seg.workspace.run_folder import RunFolder, point_latest


@pytest.fixture
def last(here: Path, data: Path, small_weights: Path) -> RunFolder:
    """A workspace with a training, which validated on the second image; a further batch of images is beside it."""
    Path("small.yaml").write_text(small_template().as_yaml())
    build(data / "train", model="small.yaml", workspace="w")
    run = RunFolder(Path("w/outputs/1_train").resolve())
    run.weights.parent.mkdir(parents=True)
    shutil.copy(small_weights, run.weights)
    shutil.copy("w/template.yaml", run.template)
    point_latest(run)
    second = sorted((data / "train" / "images").iterdir())[1].name
    RecordedData(7, "", (), (second,), (), (), data=DataSpec(data / "train")).write(run)
    shutil.copytree(data / "val", "batch")
    return run


def settled(anew: bool = False, **arguments: Any) -> Request:
    resolver = open_resolver("w")
    return with_last_round(resolver, complete_request(resolver, Request(**arguments)), anew)


def test_without_more_data_it_is_only_compared(last: RunFolder) -> None:
    request = settled()
    assert (request.load_weights, request.last_round) == (None, last.path)
    assert make_plan(request).last_round == last.path


def test_with_more_data_it_starts_from_the_last_weights(last: RunFolder, messages: Any) -> None:
    add_data("batch", workspace="w")
    request = settled()
    assert (request.load_weights, request.last_round) == (last.weights, last.path)
    told = f"starts from the weights of the last training: {last.weights}; --from-pretrained begins anew"
    assert told in messages.text
    plan = make_plan(request)
    assert (plan.load_weights, plan.last_round) == (last.weights, last.path)
    # Once the next training is there, the pointer leads to that; this one was meant.
    assert "latest_trained_model" not in str(plan.load_weights)


def test_it_begins_anew_if_asked_for(last: RunFolder) -> None:
    add_data("batch", workspace="w")
    assert (settled(anew=True).load_weights, settled(anew=True).last_round) == (None, last.path)
    assert settled(parameters={"learning_parameters.pretrained": "none"}).load_weights is None
    assert settled(load_weights="other.pth").load_weights == "other.pth"
    for named in ("load_weights", "resume_from"):
        option = f"--{named.replace('_', '-')}"
        with pytest.raises(UsageError, match=rf"--from-pretrained and {option} cannot be combined"):
            settled(anew=True, **{named: "x"})


@pytest.mark.parametrize(
    "other",
    [
        {"val": ("another.png",)},
        {"fold": Fold(1, 2)},
        {"data": DataSpec(Path("/elsewhere"))},
        {"data": DataSpec(Path("/elsewhere"), Path("/val"))},
    ],
)
def test_other_validation_images_may_have_been_trained_on(last: RunFolder, other: Any, messages: Any) -> None:
    add_data("batch", workspace="w")
    replace(read_recorded(last), **other).write(last)
    request = settled()
    assert (request.load_weights, request.last_round) == (None, None)
    assert (
        f"begins anew, not from the weights of the last training, {last.path}: it validated on other" in messages.text
    )


def test_a_validation_folder_is_compared_by_its_name(last: RunFolder, data: Path) -> None:
    build(val_data_roots=data / "val", workspace="w")
    assert settled().last_round is None
    recorded = read_recorded(last)
    replace(recorded, data=replace(recorded.data, val_root=data / "val")).write(last)
    assert settled().last_round == last.path


def test_weights_of_another_network_are_left_alone(last: RunFolder, messages: Any) -> None:
    add_data("batch", workspace="w")
    request = settled(template="SegNext-t")
    assert (request.load_weights, request.last_round) == (None, last.path)
    assert "it trained another network, " in messages.text


def test_what_cannot_be_read_is_passed_over(last: RunFolder, messages: Any) -> None:
    add_data("batch", workspace="w")
    last.data.write_text("{}")
    request = settled()
    assert (request.load_weights, request.last_round) == (None, None)
    assert "begins anew" in messages.text
    last.data.unlink()
    assert settled().last_round is None


def test_elsewhere_nothing_is_filled_in(last: RunFolder, data: Path) -> None:
    add_data("batch", workspace="w")
    given = settled(data=DataSpec(data / "val"))  # a folder of its own
    assert (given.load_weights, given.last_round, given.data.added) == (None, None, ())
    assert settled(train_type="Selfsupervised").last_round is None
    resolver = open_resolver(None)
    assert with_last_round(resolver, Request(DataSpec(data / "train"))).last_round is None
