"""What verbs leave for their reports."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from otx_seg.datasets import Subset, open_folder
from otx_seg.inference.evaluate import evaluate
from otx_seg.inference.predictor import load_predictor
from otx_seg.report.run_report.make import report_evaluation
from otx_seg.report.run_report.pictures import PICTURES
from otx_seg.report.run_report.record import read_sources
from otx_seg.workspace.run_folder import RunFolder


def test_an_evaluation_leaves_pictures_of_its_images(tiny_weights: Path, tiny_data: Subset, tmp_path: Path) -> None:
    predictor, run = load_predictor(tiny_weights), RunFolder(tmp_path)
    result = evaluate(predictor, tiny_data)
    report_evaluation(run, "Tiny", result, predictor, tiny_data)
    assert "Tiny reaches a Dice" in run.page.read_text()
    found = read_sources(run).record.evaluated
    assert found is not None
    # Four images: three are the worst, one the best; the network is right everywhere.
    assert [image.rank for image in found.shown] == ["worst", "worst", "worst", "best"]
    assert {image.name for image in found.shown} == {sample.name for sample in tiny_data.samples}
    assert all(image.wrong < 0.01 for image in found.shown)
    for image in found.shown:
        for name in PICTURES:
            assert cv2.imread(str(run.page_record.with_name(f"{image.file}_{name}.jpg"))).shape == (60, 100, 3)
    report_evaluation(run, "Tiny", result, predictor, tiny_data)  # again: nothing is left over
    assert len(list(run.page_record.parent.iterdir())) == 4 * len(PICTURES) + 1


def test_a_report_that_cannot_be_made_ends_nothing(
    tiny_weights: Path, tiny_data: Subset, tmp_path: Path, messages: Any
) -> None:
    predictor, run = load_predictor(tiny_weights), RunFolder(tmp_path / "run")
    shutil.copytree(tiny_data.root, tmp_path / "data")
    subset = open_folder(tmp_path / "data")["default"]
    result = evaluate(predictor, subset)
    (tmp_path / "data" / "images" / "2.png").unlink()
    report_evaluation(run, "Tiny", result, predictor, subset)
    assert "the report has no pictures: " in messages.text
    assert "2.png" in messages.text
    assert "Tiny reaches a Dice" in run.page.read_text()
    run.page.unlink()
    run.page.mkdir()
    report_evaluation(run, "Tiny", result, predictor, tiny_data)
    assert f"{run.page}: the report was not written (Is a directory); try again with: otx report {run.path}" in (
        messages.text
    )


def test_grey_images_of_16_bits_are_shown(tiny_weights: Path, tiny_data: Subset, tmp_path: Path) -> None:
    shutil.copytree(tiny_data.root, tmp_path / "data")
    for file in (tmp_path / "data" / "images").iterdir():
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(file), grey.astype(np.uint16) * 200)
    subset, predictor, run = (
        open_folder(tmp_path / "data")["default"],
        load_predictor(tiny_weights),
        RunFolder(tmp_path),
    )
    report_evaluation(run, "Tiny", evaluate(predictor, subset), predictor, subset)
    picture = cv2.imread(str(run.page_record.with_name("01_worst_image.jpg")))
    assert picture.shape == (60, 100, 3)
    assert picture.std() > 10  # not all black or white
