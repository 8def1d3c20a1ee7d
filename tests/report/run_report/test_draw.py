"""The page of a report, as a browser sees it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from run_records import DATA, TRAINED, evaluated, labels_called, models, record

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.metrics.confusion import scores_from_json
from otx_seg.report.run_report.draw import write_page
from otx_seg.report.run_report.pictures import PICTURES
from otx_seg.report.run_report.record import ShownImage, UsedData
from otx_seg.runtime.result_files import write_picture
from otx_seg.training.loggers import MetricsFile
from otx_seg.workspace.run_folder import RunFolder

HOSTILE = labels_called("<script>alert(1)</script>", "x" * 80, "\"quoted\" & 'so'", "道路")
MANY = labels_called(*(f"label {number}" for number in range(149)))


class _Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def a_run(folder: Path, labels: Labels, **parts: Any) -> RunFolder:
    """A run whose model takes every third label for the one before it, with pictures of one image."""
    run, classes = RunFolder(folder), len(labels)
    confusion = np.diag(np.full(classes, 1000)) + np.diag([300 if n % 3 == 0 else 0 for n in range(classes - 1)], -1)
    shown = (ShownImage("a<b>.png", "worst", 0.25, "01_worst", tuple(range(min(classes, 5))), 0.125),)
    run.page_record.parent.mkdir(parents=True)
    for number, name in enumerate(PICTURES):
        file = run.page_record.with_name(f"01_worst_{name}.jpg")
        cv2.imwrite(str(file), np.full((60, 80, 3), 50 * number, np.uint8))
    record(evaluated=evaluated(labels, confusion, shown=shown), **parts).write(run)
    return run


@pytest.fixture
def whole(tmp_path: Path) -> RunFolder:
    """A job with everything that a report may have, of labels with hostile names."""
    run = a_run(tmp_path / "job", HOSTILE, verb="run", trained=TRAINED, data=DATA, models=models(0.9, 0.9, 0.89))
    journal = MetricsFile(run.metrics)
    for step in range(1, 30):
        journal.append({"step": step, "loss": 2 / step, "learning_rate": 1e-3, "kept pixels": float(step > 10)})
    found = scores_from_json(evaluated(HOSTILE, np.eye(5, dtype=int)).scores)
    journal.append({"step": 30, "epoch": 1, "watched": "Dice", "score": 0.5, **found.as_json()})
    for name in ("truth", "0000010", "0000030"):
        write_picture(run.pictures / f"{name}.jpg", np.zeros((20, 120, 3), np.uint8))
    decision = {"parameter": "learning_parameters.input_size", "value": "64x64", "reason": "small <i>", "given": False}
    run.decisions.write_text(json.dumps([decision]))
    return run


def test_names_are_shown_as_they_are_and_nothing_is_loaded_from_elsewhere(whole: RunFolder) -> None:
    page = _Page(write_page(whole).read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    for text in ("<script>alert(1)</script>", "a<b>.png", "otx run <&>", "labels in few images: <b>", "small <i>"):
        assert text in page.text, text
    addresses = [attrs[name] for _, attrs in page.tags for name in ("src", "href", "srcset", "data") if name in attrs]
    assert len(addresses) == len(PICTURES) + 3 + 3  # and three diagrams, and three rows
    assert all(str(address).startswith("data:image/") for address in addresses)
    assert "url(" not in whole.page.read_text()


def test_what_a_report_says(whole: RunFolder) -> None:
    text = _Page(write_page(whole).read_text()).text
    # 300 of 1300 pixels of the second label, which follows the first.
    assert "23.1 % of the pixels of <script>alert(1)</script> are taken for background (300 pixels)." in text
    for words in ("Dice 0.250, 12.5 % of the pixels wrong", "kept: the network of epoch 3 of 4", "step 30"):
        assert words in text, words
    rows = re.findall(r"OpenVINO INT8 0\.8900 -1\.00 2\.0 4\.00 x 2\.00 x 1\.0", text)
    assert len(rows) == 1
    # In this order:
    places = [text.index(heading) for heading in (
        "All images, the lowest Dice first", "Labels that are confused", "Scores of the labels", "Models", "Training",
        "What it learned, step by step", "What was decided, and why", "Data", "To do it again",
    )]  # fmt: skip
    assert places == sorted(places)


def test_badges_of_worst_median_and_best_images_need_images_between(whole: RunFolder) -> None:
    few = _Page(write_page(whole).read_text())
    assert "worst a<b>.png" not in few.text
    told = json.loads(whole.page_record.read_text())
    shown = told["evaluated"]["shown"]
    told["evaluated"]["shown"] = [shown[0], {**shown[0], "rank": "median"}, {**shown[0], "rank": "best"}]
    whole.page_record.write_text(json.dumps(told))
    many = _Page(write_page(whole).read_text())
    assert "Worst, median and best images" in many.text
    assert all(f"{rank} a<b>.png" in many.text for rank in ("worst", "median", "best"))


def test_parameters_have_the_names_that_the_screen_gives_them(whole: RunFolder) -> None:
    name = "learning_parameters.num_iters"
    decision = {"parameter": name, "value": 7, "reason": "see `otx train --time-budget 4`", "given": False}
    whole.decisions.write_text(json.dumps([decision]))
    page = write_page(whole).read_text()
    assert "learning_parameters.<wbr>epochs</td><td>7</td>" in page
    assert "num_iters" not in page
    assert '<code><span class="word">otx</span> <span class="word">train</span>' in page
    assert "`" not in page


def test_a_report_of_parts_comes_from_their_folders(whole: RunFolder, tmp_path: Path) -> None:
    job = RunFolder(tmp_path)
    record("optimize", data=UsedData("/calibration", "as given", {})).write(RunFolder(tmp_path / "int8"))
    record("run", models=models(0.9, 0.9, 0.9), parts=("int8", "job")).write(job)
    text = _Page(write_page(job, tmp_path / "page.html").read_text()).text
    assert "labels in few images" in text  # the data is that of the training
    assert "Small as OpenVINO INT8 reaches a Dice" in text
    assert "All images, the lowest Dice first" in text
    assert not job.page.exists()


def test_without_pictures_scores_or_curves_there_is_still_a_report(tmp_path: Path) -> None:
    record("train", trained=replace(TRAINED, backbone=True), data=DATA).write(RunFolder(tmp_path))
    text = _Page(write_page(RunFolder(tmp_path)).read_text()).text
    assert "there is no score. Train on labelled images" in text
    assert "Scores of the labels" not in text


def test_a_folder_without_a_record_or_with_a_damaged_one_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(UsageError, match="has nothing to report"):
        write_page(run)
    record(parts=("../elsewhere",)).write(run)
    with pytest.raises(UsageError, match="not in"):
        write_page(run)
    run.page_record.write_text("{}")
    with pytest.raises(UsageError, match="is damaged"):
        write_page(run)


@pytest.mark.parametrize("labels", [labels_called("cat"), HOSTILE, MANY], ids=["two", "hostile", "many"])
def test_a_browser_shows_it_without_errors_at_any_width(labels: Labels, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    page = write_page(a_run(tmp_path / "run", labels, models=models(0.9, 0.9, 0.9), data=DATA))
    page.write_text(page.read_text().replace("</body>", _MEASURE + "</body>"))
    for width in (400, 1600):
        net_log = tmp_path / f"{width}.json"
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000",
            f"--log-net-log={net_log}", "--dump-dom", page.as_uri(),
        ]  # fmt: skip
        shown = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        assert "CONSOLE" not in shown.stderr, shown.stderr
        requests = set(re.findall(r'"url":"(\w+)://[^"]*report', net_log.read_text()))
        assert requests <= {"file"}
        found = re.search(r"measured (\d+) of (\d+), broken (\d+)", shown.stdout)
        assert found is not None
        wide, there, broken = map(int, found.groups())
        assert wide <= there, "the page has to be scrolled sideways"
        assert not broken, "a picture is not shown"


_MEASURE = """<p id="m"></p><script>addEventListener("load", () => {
const images = [...document.images].filter((image) => !image.naturalWidth).length;
const page = document.documentElement;
document.getElementById("m").textContent = `measured ${page.scrollWidth} of ${page.clientWidth}, broken ${images}`;
});</script>"""
