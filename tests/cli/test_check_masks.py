"""`otx check --load-weights`: what is printed, and what is refused with which exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import Subset
from otx_seg.datasets.check.mask_faults import Contradiction, SuspectMask
from otx_seg.deployment.export import export
from otx_seg.verbs import check_masks
from otx_seg.workspace.weights import read_weights


def test_what_is_printed(otx: Any, tiny_data: Subset, tiny_weights: Path) -> None:
    outcome = otx("check", "--data-roots", tiny_data.root, "--load-weights", tiny_weights, "--output", "out")
    assert outcome.code == 0, outcome.err
    assert (
        "None of the masks of 4 images is contradicted by more than usual.\nAll masks are compared with" in outcome.out
    )
    assert "Warning: it is not known which images" in outcome.out
    assert "otx train --folds" in outcome.out
    assert "To work through: out/mask_faults.html and out/mask_faults.csv" in outcome.out
    assert outcome.out.splitlines()[-1] == f"Next: otx train --train-data-roots {tiny_data.root}"


def test_masks_that_seem_wrong_are_corrected_first(
    otx: Any, tiny_data: Subset, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = Contradiction("missing region", "background", "dot", (0, 0, 1, 1), 1, 9.0)
    ranked = (SuspectMask(1, "training", "a.png", "a.jpg", 0, (wrong,)),)
    monkeypatch.setattr(check_masks, "suspect_masks", lambda *_: ranked)
    monkeypatch.setattr(check_masks, "draw_mask_faults", lambda *_: "")
    outcome = otx("check", "--data-roots", tiny_data.root, "--load-weights", tiny_weights, "--output", "out")
    first = "Next: correct the masks that out/mask_faults.html shows to be wrong; then otx train --train-data-roots "
    assert outcome.out.splitlines()[-1].startswith(first), outcome.err


def test_ceilings_are_those_of_the_weights(otx: Any, tiny_data: Subset, tiny_weights: Path) -> None:
    height, width = read_weights(tiny_weights).input_size
    fixed = ["check", "--data-roots", tiny_data.root]
    told = " ".join(otx(*fixed, "--load-weights", tiny_weights, "--html", "page.html", "--output", "out").out.split())
    assert f"with the input size {height}x{width}, that of the given weights, and an output of" in told
    assert f"to the input size {height}x{width}, that of the given weights;" in Path("page.html").read_text()
    told = " ".join(otx(*fixed).out.split())
    assert ", which these images get with enough time, and an output of" in told
    assert f"size {height}x{width}, " not in told


def test_json_alone(otx: Any, tiny_data: Subset, tiny_weights: Path) -> None:
    outcome = otx("check", "--data-roots", tiny_data.root, "--load-weights", tiny_weights, "--output", "out", "--json")
    assert json.loads(outcome.out)["mask_faults"]["images"] == 4


def test_without_output_it_goes_into_a_new_folder(otx: Any, tiny_data: Subset, tiny_weights: Path) -> None:
    otx("check", "--data-roots", tiny_data.root, "--load-weights", tiny_weights)
    (page,) = Path("otx-workspace-SEGMENTATION", "outputs").glob("*_check/mask_faults.html")
    assert page.is_file()


def refused(outcome: Any, code: int, *texts: str) -> None:
    """It ended with this code and one message that has these texts."""
    assert outcome.code == code, outcome.err
    assert outcome.message.count("Error:") == 1
    for text in texts:
        assert text in outcome.message


def check(otx: Any, data: Path, weights: object, *more: object) -> Any:
    return otx("check", "--data-roots", data, "--load-weights", weights, "--output", "out", *more)


def test_other_labels(otx: Any, drawn_data: Path, tiny_weights: Path) -> None:
    refused(check(otx, drawn_data, tiny_weights), 2, "the model does not know the label", "--label-map")
    assert not list(Path("out").iterdir())


def test_unreadable_weights(otx: Any, tiny_data: Subset, tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    refused(check(otx, tiny_data.root, tmp_path / "broken.pth"), 2, "broken.pth")
    refused(check(otx, tiny_data.root, tmp_path / "missing.pth"), 2, "missing.pth", "there is no such file")
    refused(check(otx, tiny_data.root, tmp_path / "here"), 2, "is a folder, and no model is in it")


def test_data_without_masks(otx: Any, tiny_data: Subset, tiny_weights: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data.root / "images", tmp_path / "bare")
    refused(check(otx, tmp_path / "bare", tiny_weights), 3, "has images without masks", "leave it out")


def test_no_mask_that_can_be_used(otx: Any, tiny_data: Subset, tiny_weights: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data.root, tmp_path / "data")
    for mask in (tmp_path / "data" / "masks").iterdir():
        mask.write_bytes(b"no mask")
    refused(check(otx, tmp_path / "data", tiny_weights), 3, "there is no mask that could be compared")


@pytest.mark.parametrize("place", ["images", "."])
def test_nothing_is_written_among_the_data(otx: Any, tiny_data: Subset, tiny_weights: Path, place: str) -> None:
    outcome = otx("check", "--data-roots", tiny_data.root, "--load-weights", tiny_weights, "-o", tiny_data.root / place)
    refused(outcome, 2, "a data folder, where nothing is written")


def test_output_without_weights(otx: Any, tiny_data: Subset) -> None:
    refused(otx("check", "--data-roots", tiny_data.root, "--output", "out"), 2, "--output is for what --load-weights")


def test_a_model_that_gives_masks(otx: Any, tiny_data: Subset, tiny_weights: Path, tmp_path: Path) -> None:
    model = export(tiny_weights, tmp_path / "masks", "onnx", argmax=True).model
    refused(check(otx, tiny_data.root, model), 2, "was exported with --argmax")
