"""What a user sees of a cross-validation, and can get wrong about it: exit code, message, nothing left behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from PIL import Image
from refusals import refused
from small_network import small_file

PARAMS = [
    "params",
    *(f"--{name}={value}" for name, value in {**PARAMETERS, "learning_parameters.num_iters": 1}.items()),
]


@pytest.fixture
def train(otx: Any, data: Path, tmp_path: Path) -> Any:
    """Train on ``data/train``, four images, in ``tmp_path/run``; gives the outcome."""

    def call(*arguments: object, root: Path = data / "train", more: tuple[str, ...] = ()) -> Any:
        return otx(
            "train", small_file(), "--train-data-roots", root, "-o", tmp_path / "run", *arguments, *PARAMS, *more
        )

    return call


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--folds", "1"], ["--folds 1", "give 2 or more"]),
        (["--folds", "-3"], ["--folds -3", "give 2 or more"]),
        (["--folds", "5"], ["--folds 5", "4 images to train on"]),
        (["--folds", "3", "--fold", "0"], ["--fold 0", "the folds 1 to 3"]),
        (["--folds", "3", "--fold", "4"], ["--fold 4", "the folds 1 to 3"]),
        (["--fold", "1"], ["--fold is one of several", "give --folds too"]),
        (["--folds", "2", "--val-data-roots", "x"], ["--folds validates on", "leave out --val-data-roots"]),
        (["--folds", "2", "--val-ann-files", "x"], ["leave out --val-data-roots and --val-ann-files"]),
        (["--folds", "2", "--enable-hpo"], ["--folds and --enable-hpo", "search first"]),
        (["--folds", "2", "--hpo-parallel", "2"], ["--hpo-parallel", "give --enable-hpo too"]),
        (["--folds", "2", "--world-size", "2"], ["--folds trains in one process", "--fold I"]),
        (["--folds", "2", "--train-type", "Selfsupervised"], ["--folds compares validation scores"]),
    ],
)
def test_what_makes_no_sense(train: Any, tmp_path: Path, arguments: list[str], texts: list[str]) -> None:
    refused(train(*arguments), *texts)
    assert not (tmp_path / "run").exists()


def test_under_torchrun(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(train("--folds", "2"), "--folds trains in one process")


def test_a_folder_of_images_alone(train: Any, data: Path) -> None:
    refused(train("--folds", "2", root=data / "train" / "images"), "--folds compares validation scores")


def test_nothing_to_resume(otx: Any, tmp_path: Path) -> None:
    refused(otx("train", "--resume-from", tmp_path, "--folds", "2"), "no fold has begun there", "original command")


def test_a_whole_one(train: Any, otx: Any, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begun = train("--folds", "2", "--fold", "2")
    assert begun.code == 0, begun.err
    assert f"Next: otx train --resume-from {run}" in begun.out
    assert "Not trained yet: 1 of 2." in begun.out
    # What does not fit what is there.
    refused(train("--folds", "3"), "fold-2", "--folds: fold 2 of 2 there, fold 2 of 3 here")
    refused(train("--folds", "2", "--seed", "7"), "--seed: 42 there, 7 here")
    refused(train("--folds", "2", more=("--learning_parameters.ema_keep=0.9",)), "given twice")
    other = otx("train", "--resume-from", run, "params", "--learning_parameters.ema_keep=0.9")
    refused(other, "learning_parameters.ema_decay: 0.5 there, 0.9 here", "choose another --output")
    weights = run / "fold-2" / "models" / "weights.pth"
    refused(otx("train", "--resume-from", run, "--load-weights", weights), "cannot be combined")
    refused(train("--folds", "2", "--load-weights", weights), "--load-weights: None there")
    refused(otx("train", "--resume-from", run, "-o", tmp_path / "other"), "stays in its folder")
    refused(otx("train", "--resume-from", run, "--world-size", "2"), "--folds trains in one process")
    refused(train("--folds", "2", root=other_images(data, tmp_path)), "was made from other images (4 then, 5 now")
    broken = other_images(data, tmp_path / "broken", b"no image")
    done = train("--folds", "2", root=broken)  # what cannot be read is left out, as ever
    assert done.code == 0, done.err
    assert "2 folds, 4 images" in done.out
    assert "otx predict --load-weights" in done.out
    removed = other_images(data, tmp_path / "removed")
    for path in removed.glob("*/0000.*"):
        path.unlink()
    refused(train("--folds", "2", root=removed), "was made from other images")
    refused(otx("train", "--resume-from", run / "fold-1", "--folds", "2"), "no fold has begun there")


def other_images(data: Path, folder: Path, content: bytes | None = None) -> Path:
    """A copy of the training images with one more, called ``more``."""
    root = folder / "copied"
    shutil.copytree(data / "train", root)
    image, mask = next((root / "images").iterdir()), next((root / "masks").iterdir())
    shutil.copy(mask, mask.with_name(f"more{mask.suffix}"))
    added = image.with_name(f"more{image.suffix}")
    shutil.copy(image, added)
    if content is not None:
        added.write_bytes(content)
    return root


def test_a_folder_with_a_training(train: Any, tmp_path: Path) -> None:
    (tmp_path / "run" / "models").mkdir(parents=True)
    (tmp_path / "run" / "models" / "weights.pth").touch()
    refused(train("--folds", "2"), "holds a training, not folds")


def test_a_fold_of_the_workspace_is_its_last_training(otx: Any, data: Path, tmp_path: Path) -> None:
    built = otx("build", "--train-data-roots", data / "train", "--val-data-roots", data / "val", "--workspace", "w")
    assert built.code == 0, built.err
    done = otx("train", small_file(), "--workspace", "w", "--folds", "2", *PARAMS)
    assert done.code == 0, done.err
    assert "the validation data of data.yaml is not used" in done.message
    latest = Path("w/outputs/latest_trained_model").resolve()
    assert latest.name == "fold-2"
    assert latest.parent.name.endswith("_cross_validation")
    with Image.open(latest.parent / "confusion.png") as picture:
        assert picture.width
