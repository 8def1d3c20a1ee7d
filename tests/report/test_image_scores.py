"""Scores of images as a file and in a line."""

from __future__ import annotations

from pathlib import Path

from metrics.test_counted_images import COUNTED
from PIL import Image

from otx_seg.metrics.definitions import METRICS
from otx_seg.report.image_scores import worst_images, write_image_scores
from otx_seg.report.pictures import draw_confusions


def test_the_file_begins_with_the_worst(tmp_path: Path) -> None:
    write_image_scores(COUNTED, tmp_path / "per_image.csv")
    rows = (tmp_path / "per_image.csv").read_text().splitlines()
    assert rows == ["file,dice,iou", "b.png,0.5000,0.5000", "a.png,0.6667,0.5000", "c.png,,"]


def test_metrics_asked_for_follow(tmp_path: Path) -> None:
    write_image_scores(COUNTED, tmp_path / "per_image.csv", [METRICS["accuracy"], METRICS["iou"], METRICS["recall"]])
    rows = (tmp_path / "per_image.csv").read_text().splitlines()
    assert rows == [
        "file,dice,iou,accuracy,recall",
        "b.png,0.5000,0.5000,0.7143,0.5000",
        "a.png,0.6667,0.5000,0.7500,0.7500",
        "c.png,,,1.0000,",
    ]


def test_the_worst_in_a_line() -> None:
    assert worst_images(COUNTED) == "b.png 0.50, a.png 0.67"


def test_confusions_are_drawn(tmp_path: Path) -> None:
    draw_confusions(COUNTED, tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as picture:
        assert len(picture.getcolors(picture.width * picture.height) or ()) > 10
        assert min(picture.size) >= 400


def test_the_fold_of_each_image(tmp_path: Path) -> None:
    write_image_scores(COUNTED, tmp_path / "per_image.csv", fold_of={"a.png": 1, "b.png": 2, "c.png": 1})
    rows = (tmp_path / "per_image.csv").read_text().splitlines()
    assert rows == ["file,dice,iou,fold", "b.png,0.5000,0.5000,2", "a.png,0.6667,0.5000,1", "c.png,,,1"]
