"""The images that an earlier training validated on, found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from small_network import small_file

from otx_seg.datasets import DataSpec, find_training, open_folder, open_training
from otx_seg.datasets.label_map import LabelMap
from otx_seg.errors import DataError, OtxError, UsageError
from otx_seg.inputs.data import evaluation_spec, prediction_images
from otx_seg.inputs.last_training import last_training, open_measured
from otx_seg.inputs.resolver import open_resolver
from otx_seg.training.recorded_data import RecordedData
from otx_seg.verbs import optimize
from otx_seg.verbs.build import build
from otx_seg.verbs.train import train
from otx_seg.workspace.run_folder import RunFolder, point_latest


def test_what_the_last_training_validated_on_is_measured_on(here: Path, drawn_data: Path) -> None:
    build(drawn_data / "train", workspace="w")
    names = [sample.name for sample in open_folder(drawn_data / "train")["default"].samples]
    run = RunFolder(Path("w/outputs/1_train"))
    run.weights.parent.mkdir(parents=True)
    run.weights.touch()
    point_latest(run)
    recorded = RecordedData(
        seed=7,
        split="",
        train=(),
        val=tuple(names[1:3]),
        unlabelled=(),
        val_images=(),
        data=DataSpec(drawn_data / "train"),
    )
    recorded.write(run)
    found = evaluation_spec(open_resolver("w"), DataSpec())
    assert [sample.name for sample in open_measured(*found).samples] == names[1:3]
    assert prediction_images(open_resolver("w"), "--input", "images") == drawn_data / "train" / "images"
    last = last_training(open_resolver("w").outputs, DataSpec(drawn_data / "train"))
    assert last is not None
    assert last.seed == 7
    assert optimize._split_before(open_resolver("w"), DataSpec(drawn_data / "train"), None) == last
    assert optimize._split_before(open_resolver("w"), DataSpec(drawn_data / "train", drawn_data / "val"), None) is None
    replace(recorded, val=("gone.png", *names[:2])).write(run)
    with pytest.raises(DataError, match=r"1 of the 3 images that .* validated on no longer exist"):
        open_measured(*evaluation_spec(open_resolver("w"), DataSpec()))
    others: list[dict[str, Any]] = [{"train_root": Path("/elsewhere")}, {"val_root": Path("/val")}]
    elsewhere = [replace(recorded, data=replace(recorded.data, **other)) for other in others]
    described = replace(recorded, data=replace(recorded.data, train_annotations=Path("/a.json")))
    label_map = LabelMap((("button", "disc"), ("plate", "plate")))  # its labels divided the images
    replace(recorded, data=replace(recorded.data, label_map=label_map)).write(run)
    assert evaluation_spec(open_resolver("w"), DataSpec())[0].label_map == label_map
    another = DataSpec(drawn_data / "train", label_map=LabelMap((("button", "button"), ("plate", "plate"))))
    assert last_training(open_resolver("w").outputs, another) is None
    for other in (*elsewhere, described, replace(recorded, val=())):
        other.write(run)
        assert last_training(open_resolver("w").outputs, DataSpec(drawn_data / "train")) is None
        with pytest.raises(UsageError, match=r"--test-data-roots is missing"):
            evaluation_spec(open_resolver("w"), DataSpec())


def test_the_validation_images_of_a_run_are_found_again(drawn_data: Path, tmp_path: Path) -> None:
    brief = {**PARAMETERS, "learning_parameters.num_iters": 1}
    train(drawn_data / "train", output=tmp_path, template=small_file(), parameters=brief, seed=5)
    spec = DataSpec(drawn_data / "train")
    found = open_measured(spec, RunFolder(tmp_path))
    assert found == open_training(spec, seed=5).val
    assert 0 < len(found) < len(find_training(spec).train)
    (tmp_path / "data.json").write_text("[]")
    with pytest.raises(OtxError, match=r"data.json: .*the run's data is unknown"):
        open_measured(spec, RunFolder(tmp_path))
