"""`otx build --add-data`: what it prints, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from brief_training import PARAMETERS
from refusals import refused
from small_network import small_template

from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset


@pytest.fixture
def workspace(otx: Any, data: Path) -> Path:
    """A workspace with four images, and a folder `batch` with four more beside it."""
    assert otx("build", "--train-data-roots", data / "train", "--workspace", "w").code == 0
    draw_dataset(Path("more"), images=5, size=64, seed=11)
    Path("more/train").rename("batch")
    return Path("w")


def test_what_is_printed(otx: Any, workspace: Path, data: Path) -> None:
    same = sorted((data / "train" / "images").iterdir())[0]
    shutil.copy(same, "batch/images/same.jpg")
    shutil.copy(data / "train" / "masks" / f"{same.stem}.png", "batch/masks/same.png")
    done = otx("build", "--add-data", "batch", "--workspace", "w")
    assert done.code == 0, done.err
    printed = " ".join(done.out.split())
    assert "Added as batch: 4 new images" in printed
    assert f"batch/images/same.jpg (as {same})" in printed
    assert "Images to train on: 3 before, 7 now; to validate on: the same 1" in printed
    assert "To take it back, remove batch below added in w/data.yaml" in printed
    assert printed.endswith("Next: cd w && otx train")
    refused(otx("build", "--add-data", "batch", "--workspace", "w"), "is in the workspace already, as added.batch")


def test_wrong_use(otx: Any, workspace: Path, data: Path) -> None:
    refused(otx("build", "--add-data", "batch"), "there is no workspace here to add data to", "--workspace")
    refused(otx("build", "--add-data", "batch", "--workspace", "none"), "none: is not a workspace")
    both = ("--add-data", "batch", "--workspace", "w")
    refused(otx("build", *both, "--val-data-roots", "batch"), "--add-data and --val-data-roots cannot be combined")
    refused(otx("build", "--new-labels", "--workspace", "w"), "give --add-data too")
    refused(otx("build", *both, "--data-format", "cocoo"), "Invalid value for '--data-format': 'cocoo'")
    for folder, how in ((data / "train", "is in the workspace"), (data / "train/images", "lies in"), (data, "holds")):
        refused(otx("build", "--add-data", folder, "--workspace", "w"), how, "as train in data.yaml")
    (workspace / "data.yaml").write_text("data: {}")
    refused(otx("build", *both), "w/data.yaml: names no training data to add to")


def test_the_next_training_goes_on_and_is_compared(otx: Any, workspace: Path) -> None:
    Path("small.yaml").write_text(small_template().override(PARAMETERS).as_yaml())
    assert otx("build", "--model", "small.yaml", "--workspace", "w").code == 0
    first = otx("train", "--workspace", "w")
    assert first.code == 0, first.err
    assert "Against" not in first.out
    assert otx("build", "--add-data", "batch", "--workspace", "w").code == 0
    second = otx("train", "--workspace", "w")
    assert second.code == 0, second.err
    assert "starts from the weights of the last training: " in second.message
    printed = " ".join(second.out.split())
    assert "_train, on all pixels of the same 1 validation image: Dice " in printed
    assert "so few images prove little)" in printed
    went_on = "This training went on from the weights of the last one: its minutes of training count in the change too"
    assert went_on in printed
    pages = sorted(Path("w/outputs").glob("2*_train*/report.html"))
    assert ["Against the last training" in page.read_text() for page in pages] == [False, True]
    assert [went_on in page.read_text() for page in pages] == [False, True]
    measured = otx("eval", "--workspace", "w", "--json")  # on the images that it validated on
    assert measured.code == 0, measured.err
    found = json.loads(measured.out)["Dice Average"]
    assert f"-> {found:.4f}" in printed
    assert "standard error" not in printed  # of a single image
    anew = otx("train", "--workspace", "w", "--from-pretrained")
    assert "starts from the weights of the last" not in anew.message
    assert "Against the last training" in anew.out
    assert "went on from the weights" not in " ".join(anew.out.split())
    refused(otx("train", "--workspace", "w", "--from-pretrained", "--load-weights", "x.pth"), "cannot be combined")
    folds = otx("train", "--workspace", "w", "--folds", "2", "--from-pretrained")
    assert folds.code == 0, folds.err


def test_a_workspace_without_masks_is_refused(otx: Any, workspace: Path, data: Path) -> None:
    made = otx("build", "--train-data-roots", data / "train" / "images", "--workspace", "bare")
    assert made.code == 0, made.err
    refused(otx("build", "--add-data", "batch", "--workspace", "bare"), "this workspace trains on images alone")


def spoil_nothing(batch: Path) -> None:
    shutil.rmtree(batch)
    batch.mkdir()


def spoil_masks(batch: Path) -> None:
    for mask in (batch / "masks").iterdir():
        mask.write_bytes(mask.read_bytes()[:60])


def spoil_values(batch: Path) -> None:
    meta = json.loads((batch / "dataset_meta.json").read_text())
    meta["label_map"] = {str(index): name for index, name in enumerate(NAMES[:2])}
    meta["segmentation_colors"] = meta["segmentation_colors"][:2]
    (batch / "dataset_meta.json").write_text(json.dumps(meta))


def spoil_labels(batch: Path) -> None:
    meta = json.loads((batch / "dataset_meta.json").read_text())
    meta["label_map"][str(len(NAMES))] = "rust"
    meta["segmentation_colors"].append([1, 2, 3])
    (batch / "dataset_meta.json").write_text(json.dumps(meta))


def no_new_image(batch: Path) -> None:
    shutil.rmtree(batch)
    shutil.copytree(batch.parent.parent / "data" / "train", batch)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "batch: no such folder"),
        (spoil_nothing, "batch: there are no files in it"),
        (spoil_masks, "4 of 4 samples cannot be read, the first: batch/masks/"),
        (spoil_values, "4 of 4 masks hold what is no label"),
        (spoil_labels, "has labels that the workspace lacks: 'rust'"),
        (no_new_image, "nothing to add: the workspace has all 4 images of it already"),
    ],
)
def test_unusable_data(otx: Any, workspace: Path, spoil: Any, message: str) -> None:
    spoil(Path("batch").resolve())
    before = (workspace / "data.yaml").read_bytes()
    done = otx("build", "--add-data", "batch", "--workspace", "w")
    assert done.code == 3, done.err
    assert message in done.message
    assert (workspace / "data.yaml").read_bytes() == before


def test_an_interruption_leaves_the_workspace_as_it_was(
    otx: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any) -> None:
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    with monkeypatch.context() as patched:
        patched.setattr("otx_seg.inputs.new_images.inspect", interrupted)
        stopped = otx("build", "--add-data", "batch", "--workspace", "w")
    assert stopped.code == 130
    assert "interrupted" in stopped.message.lower()
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before
    assert otx("build", "--add-data", "batch", "--workspace", "w").code == 0


def test_a_mask_that_cannot_be_read_is_named_and_skipped(otx: Any, workspace: Path) -> None:
    broken = sorted(Path("batch/masks").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:60])
    done = otx("build", "--add-data", "batch", "--workspace", "w")
    assert done.code == 0, done.err
    assert f"1 of 4 samples cannot be read, the first: {broken}" in done.message
    assert "Added as batch: 3 new images" in done.out


def test_a_data_file_that_was_edited_wrongly(otx: Any, workspace: Path) -> None:
    assert otx("build", "--add-data", "batch", "--workspace", "w").code == 0
    text = (workspace / "data.yaml").read_text()
    for right, wrong, message in (
        ("left-out", "leftout", "unknown key 'data.added.batch.leftout'; did you mean 'left-out'?"),
        ("    batch:", "    train:", "data.added: "),
        (
            "data-format:\n      label",
            "data-format: cocoo\n      label",
            "data.added.batch.data-format: cocoo: unknown",
        ),
    ):
        (workspace / "data.yaml").write_text(text.replace(right, wrong, 1))
        refused(otx("check", "--workspace", "w"), "data.yaml", message)
