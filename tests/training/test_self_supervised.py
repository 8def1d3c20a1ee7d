"""Training without masks, from the verb on: what is made, kept, used afterwards, resumed and refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from brief_training import PARAMETERS, CrashAt, train_briefly, weights_of
from conftest import Messages
from small_network import small_file

from otx_seg.errors import DataError, UsageError
from otx_seg.template import load
from otx_seg.training.loggers import TrainResult
from otx_seg.verbs.evaluate import evaluate
from otx_seg.verbs.train import train
from otx_seg.workspace.weights import BackboneFile, read_start

REGIONS = {"pseudo_masks.min_size": 50, "pseudo_masks.longest_side": 64}


def backbone_of(run: Path) -> dict[str, torch.Tensor]:
    held = read_start(run / "models" / "weights.pth")
    assert isinstance(held, BackboneFile)
    return held.state_dict


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def pretrain(images: Path, output: Path, **arguments: object) -> TrainResult:
    changes = arguments.pop("parameters", {})
    assert isinstance(changes, dict)
    if "resume_from" not in arguments:
        arguments = {"template": small_file(), "parameters": {**PARAMETERS, **REGIONS, **changes}, **arguments}
    return train(images, output=output, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def images(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images, nothing else."""
    folder = tmp_path_factory.mktemp("data") / "bare"
    shutil.copytree(drawn_data / "train" / "images", folder)
    return folder


@pytest.fixture(scope="module")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "finished"
    result = pretrain(images, run)
    assert result.scores is None
    return run


def test_what_is_written(finished: Path, images: Path) -> None:
    count = len(list(images.iterdir()))
    assert len(list((finished / "detcon_mask").glob("*.png"))) == count
    assert not (finished / "models" / "label_schema.json").exists()
    assert (finished / "logs" / "curves.png").is_file()
    assert not (finished / "logs" / "pictures").exists()
    recorded = json.loads((finished / "data.json").read_text())
    assert (len(recorded["train"]), recorded["val"]) == (count, [])
    report = (finished / "cli_report.log").read_text()
    assert f"training: Selfsupervised, because {images} has images without masks" in report
    assert "a backbone, for --load-weights" in report


def test_a_supervised_training_goes_on_from_the_backbone(
    drawn_data: Path, finished: Path, tmp_path: Path, messages: Messages
) -> None:
    weights = finished / "models" / "weights.pth"
    still = {"learning_parameters.num_iters": 1, "learning_parameters.learning_rate": 1e-7}
    train_briefly(drawn_data, tmp_path / "run", load_weights=weights, parameters=still)
    assert f"the backbone of {weights}" in messages.text
    trained, started = weights_of(tmp_path / "run"), backbone_of(finished)
    parameters = [key for key in started if key.endswith("weight")]
    assert parameters
    for key in parameters:
        torch.testing.assert_close(trained[f"backbone.{key}"], started[key], atol=1e-5, rtol=0)


def test_the_backbone_learned(finished: Path, images: Path, tmp_path: Path) -> None:
    pretrain(images, tmp_path / "other", parameters={"region_contrast.temperature": 0.5})
    assert not same(backbone_of(finished), backbone_of(tmp_path / "other"))


def test_a_backbone_is_no_model(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    weights = finished / "models" / "weights.pth"
    with pytest.raises(UsageError, match=r"holds a backbone alone.*otx train --load-weights"):
        evaluate(drawn_data / "val", load_weights=weights, output=tmp_path / "eval")
    with pytest.raises(UsageError, match=r"backbone of the template Lite-HRNet-s-mod2, which is not that of Lite-HRNe"):
        train_briefly(drawn_data, tmp_path / "run", load_weights=weights, template="Lite-HRNet-18-mod2")


@pytest.mark.parametrize("step", [2, 5])
def test_a_crashed_run_goes_on_as_if_nothing_had_happened(
    images: Path, finished: Path, tmp_path: Path, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(CrashAt.CrashError):
        pretrain(images, run, loggers=[CrashAt(step)])
    pretrain(images, run, resume_from=run)
    assert same(backbone_of(run), backbone_of(finished))


def test_one_image_and_images_smaller_than_the_crop(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(min(images.iterdir()), folder)
    with pytest.raises(DataError, match=r"a single image"):
        pretrain(folder, tmp_path / "run")
    # The images are 64 pixels high and wide.
    larger = {"learning_parameters.input_size": "128x96", "learning_parameters.num_iters": 1}
    assert pretrain(images, tmp_path / "larger", parameters=larger).weights.is_file()


def test_a_whole_model_gives_its_backbone(
    drawn_data: Path, images: Path, finished: Path, tmp_path: Path, messages: Messages
) -> None:
    train_briefly(drawn_data, tmp_path / "model", parameters={"learning_parameters.num_iters": 1})
    weights = tmp_path / "model" / "models" / "weights.pth"
    pretrain(images, tmp_path / "model", load_weights=weights, overwrite=True)
    assert f"the backbone of {weights}" in messages.text
    assert not same(backbone_of(tmp_path / "model"), backbone_of(finished))
    assert not (tmp_path / "model" / "models" / "label_schema.json").exists()


def test_the_template_is_that_of_the_backbone(drawn_data: Path, finished: Path, tmp_path: Path) -> None:
    weights = finished / "models" / "weights.pth"
    parameters = {**PARAMETERS, "learning_parameters.num_iters": 1}
    train(drawn_data, load_weights=weights, output=tmp_path / "run", parameters=parameters)
    assert load(tmp_path / "run" / "template.yaml").name == "Lite-HRNet-s-mod2"


def test_nothing_is_written_among_the_images(images: Path) -> None:
    with pytest.raises(UsageError, match=r"lies in .*bare, a data folder"):
        pretrain(images, images / "run")
    assert not (images / "run").exists()


def test_broken_images_are_left_out(images: Path, tmp_path: Path, messages: Messages) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(images, folder)
    (folder / "broken.png").write_bytes(b"no image")
    pretrain(folder, tmp_path / "run", parameters={"learning_parameters.num_iters": 1})
    assert "training data: skipped: " in messages.text
    assert "broken.png" in messages.text


def test_what_makes_no_sense(drawn_data: Path, images: Path, finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"leave out --val-data-roots"):
        train_briefly(drawn_data, tmp_path / "run", train_type="selfsupervised")
    with pytest.raises(UsageError, match=r"enable_supcon needs only labelled images, not Selfsupervised"):
        pretrain(images, tmp_path / "run", parameters={"learning_parameters.enable_supcon": True})
    with pytest.raises(UsageError, match=r"train_type = 'Selfsupervised', not 'Incremental'"):
        pretrain(images, finished, resume_from=finished, train_type="Incremental")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match=r"empty: no images"):
        pretrain(empty, tmp_path / "run", train_type="Selfsupervised")


def test_without_a_length_it_is_that_of_the_parameter(images: Path, tmp_path: Path) -> None:
    parameters = {name: value for name, value in PARAMETERS.items() if not name.endswith("num_iters")}
    run = tmp_path / "run"
    settings = {**parameters, **REGIONS, "self_supervised.steps": 4}
    with pytest.raises(CrashAt.CrashError):
        train(images, template=small_file(), parameters=settings, output=run, loggers=[CrashAt(2)])
    assert load(run / "template.yaml").hyper_parameters.learning_parameters.num_iters == 1
    result = train(resume_from=run)
    # 8 images make 3 steps of at most 3, and an epoch goes round them floor(5 - 0.7 sqrt(2)) = 4 times: 32 images.
    assert (result.steps, result.epochs) == (11, 1)
