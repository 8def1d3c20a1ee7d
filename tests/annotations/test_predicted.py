"""Which annotations are predictions that nobody has corrected."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePath

import cv2
import numpy as np
import pytest

from otx_seg.annotations.predicted import RECORD, uncorrected
from otx_seg.datasets import Subset, open_folder
from otx_seg.inference.pre_annotations import PreAnnotations
from otx_seg.inference.predict_settings import PredictSettings, annotation_formats
from otx_seg.labels import Labels, default_colors
from otx_seg.verbs.check import check

FORMATS = annotation_formats()
OF_EACH_IMAGE = ("labelme", "yolo")


def predicted(into: Path, format_name: str, names: str = "abc") -> Path:
    """A folder of predicted annotations."""
    how = PredictSettings(save_as=(format_name,))
    annotations = PreAnnotations(into, Labels(("background", "cat"), default_colors(2), 0), how)
    for number, name in enumerate(names):
        image = into.parent / "in" / f"{name}.png"
        image.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(image), np.full((20, 30, 3), 90 + number, np.uint8))
        mask = np.zeros((20, 30), np.uint8)
        mask[4:12, 5 : 15 + number] = 1
        annotations.add(image, PurePath(name), mask, None)
    annotations.close()
    return into / format_name


def opened(folder: Path) -> Subset:
    (subset,) = open_folder(folder).values()
    return subset


def file_of_the_first(folder: Path) -> Path:
    return Path(opened(folder).samples[0].mask)


@pytest.mark.parametrize("name", FORMATS)
def test_annotations_are_predictions_until_their_file_changes(tmp_path: Path, name: str) -> None:
    folder = predicted(tmp_path / "out", name)
    assert uncorrected(opened(folder).samples) == list(opened(folder).samples)
    file = file_of_the_first(folder)
    file.write_bytes(file.read_bytes() + b"\n")
    left = len(uncorrected(opened(folder).samples))
    assert left == (2 if name in OF_EACH_IMAGE else 0)


@pytest.mark.parametrize("name", FORMATS)
def test_the_record_is_no_annotation(tmp_path: Path, name: str) -> None:
    folder = predicted(tmp_path / "out", name)
    masks = [opened(folder).read_mask(sample) for sample in opened(folder).samples]
    (folder / RECORD).rename(tmp_path / RECORD)
    assert not uncorrected(opened(folder).samples)
    assert not opened(folder).unmatched
    for mask, sample in zip(masks, opened(folder).samples, strict=True):
        np.testing.assert_array_equal(mask, opened(folder).read_mask(sample))


def test_the_record_can_be_compared_by_other_programs(tmp_path: Path) -> None:
    folder = predicted(tmp_path / "out", "yolo")
    command = ["sha256sum", "--check", "--strict", RECORD]
    assert subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode == 0


def test_annotations_written_anew_have_a_new_record(tmp_path: Path) -> None:
    predicted(tmp_path / "out", "labelme", "abc")
    folder = predicted(tmp_path / "out", "labelme", "d")
    lines = (folder / RECORD).read_text().splitlines()
    assert sorted(line.split("  ")[1] for line in lines) == ["d.json", "labelmerc.yaml", "labels.txt"]


def test_a_file_of_this_name_that_is_something_else(tmp_path: Path) -> None:
    folder = predicted(tmp_path / "out", "labelme")
    (folder / RECORD).write_bytes(b"\xff\xfe\x00what")
    assert not uncorrected(opened(folder).samples)


@pytest.mark.parametrize("name", FORMATS)
def test_check_warns_of_predictions(tmp_path: Path, name: str) -> None:
    folder = predicted(tmp_path / "out", name)
    found = check(folder)
    (problem,) = [one for one in found.problems if one.code == "uncorrected_predictions"]
    assert problem.severity == "warning"
    assert problem.what.startswith("3 of 3 images have a mask that is a prediction")
    assert "correct the predictions in the labelling tool and use its export" in problem.advice
    assert [Path(note.path).name for note in problem.files] == ["a.png", "b.png", "c.png"]
    assert found.usable_for == "training"
    file = file_of_the_first(folder)
    file.write_bytes(file.read_bytes() + b"\n")
    again = [one.what for one in check(folder).problems if one.code == "uncorrected_predictions"]
    assert [what[:6] for what in again] == (["2 of 3"] if name in OF_EACH_IMAGE else [])
