"""`otx check`: what is printed, the page, exit codes, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from otx_seg.datasets.synthetic.draw import draw_dataset


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train`` with 12 and ``val`` with 3 images of 64 x 64 pixels."""
    folder = tmp_path_factory.mktemp("valid") / "data"
    draw_dataset(folder, images=15, size=64, seed=1)
    return folder


@pytest.fixture
def data(valid: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(valid, tmp_path / "data")
    return tmp_path / "data"


def test_a_verdict_and_what_to_do_next(otx: Any, valid: Path) -> None:
    outcome = otx("check", "--data-roots", valid)
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[-1] == f"Next: otx train --train-data-roots {valid}"
    verdict = next(number for number, line in enumerate(lines) if line.startswith("The data is usable for training"))
    advice = [number for number, line in enumerate(lines) if line.startswith("  -> ")]
    assert all(verdict < number for number in advice)
    assert "Common Semantic Segmentation" in outcome.out
    assert "washer" in outcome.out


def test_roots_that_lie_apart(otx: Any, valid: Path) -> None:
    outcome = otx("check", "--data-roots", valid / "train", "--data-roots", valid / "val")
    assert outcome.code == 0, outcome.err
    wanted = f"Next: otx train --train-data-roots {valid / 'train'} --val-data-roots {valid / 'val'}"
    assert outcome.out.splitlines()[-1] == wanted


def test_files_of_annotations(otx: Any, drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    words = ["--train-ann-files", drawn_as_coco["train"], "--val-ann-files", drawn_as_coco["val"]]
    outcome = otx("check", "--data-roots", drawn_data, "--data-format", "coco", *words)
    assert outcome.code == 0, outcome.err
    options = " ".join(map(str, words))
    assert (
        outcome.out.splitlines()[-1] == f"Next: otx train --train-data-roots {drawn_data} {options} --data-format coco"
    )
    outcome = otx("check", "--data-roots", drawn_data, "--data-roots", drawn_data, *words)
    wanted = (
        f"--train-data-roots {drawn_data} {words[0]} {words[1]} --val-data-roots {drawn_data} {words[2]} {words[3]}"
    )
    assert outcome.out.splitlines()[-1] == f"Next: otx train {wanted}"


def test_unlabelled_images_beside_labelled_ones(otx: Any, valid: Path, tmp_path: Path) -> None:
    shutil.copytree(valid / "val" / "images", tmp_path / "more")
    outcome = otx("check", "--data-roots", tmp_path / "more", "--data-roots", valid)
    assert outcome.code == 0, outcome.err
    assert "each of the images is also labelled" in outcome.out
    assert outcome.out.splitlines()[-1] == f"Next: otx train --train-data-roots {valid}"
    draw_dataset(tmp_path / "new", images=5, size=64, seed=77)
    for image in (tmp_path / "new" / "train" / "images").iterdir():
        shutil.copy(image, tmp_path / "more" / f"new{image.name}")
    (tmp_path / "more" / "broken.png").symlink_to("nowhere")
    outcome = otx("check", "--data-roots", tmp_path / "more", "--data-roots", valid)
    wanted = f"Next: otx train --train-data-roots {valid} --unlabeled-data-roots {tmp_path / 'more'}"
    assert outcome.out.splitlines()[-1] == wanted
    assert "1 of 8 images cannot be read" in outcome.out
    total, copies = len(list((tmp_path / "more").iterdir())), len(list((valid / "val" / "images").iterdir()))
    told = json.loads(otx("check", "--data-roots", tmp_path / "more", "--data-roots", valid, "--json").out)
    found = next(problem for problem in told["problems"] if problem["code"] == "labelled_too")
    assert (found["severity"], found["what"]) == ("note", f"{copies} of {total} images are also labelled")
    assert len(found["files"]) == copies


def test_images_without_masks(otx: Any, valid: Path) -> None:
    outcome = otx("check", "--data-roots", valid / "train" / "images")
    assert outcome.code == 0, outcome.err
    assert "usable for self-supervised training only" in outcome.out
    assert f"otx train --train-type Selfsupervised --train-data-roots {valid / 'train' / 'images'}" in outcome.out


def test_data_that_cannot_be_used_ends_with_3(otx: Any, data: Path) -> None:
    for path in sorted((data / "train" / "masks").iterdir())[:5]:
        Image.new("L", (64, 64), 200).save(path)
    outcome = otx("check", "--data-roots", data)
    assert outcome.code == 3
    assert outcome.message == "Error: the data is not usable: 1 error"
    assert "Error  train: 5 of 12 masks hold what is no label" in outcome.out
    assert outcome.out.index("The data is not usable: 1 error") < outcome.out.index("Error  train: 5 of 12")
    assert "mask value 200 (4096 pixels)" in outcome.out
    assert "and 2 more" in outcome.out
    assert outcome.out.count("allowed are 0 background") == 1
    assert "-> allowed are 0 background, 1 button" in outcome.out
    told = otx("check", "--data-roots", data, "--json")
    assert told.code == 3
    assert len(json.loads(told.out)["problems"][0]["files"]) == 5


def test_nothing_but_json_on_stdout(otx: Any, valid: Path) -> None:
    told = json.loads(otx("check", "--data-roots", valid, "--json").out)
    assert told["usable_for"] == "training"
    assert sum(label["share"] for label in told["subsets"][0]["labels"]) == pytest.approx(1)


def test_the_page_is_complete_in_itself(otx: Any, valid: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    outcome = otx("check", "--data-roots", valid, "--html", page)
    assert (outcome.code, outcome.out.splitlines()[-2]) == (0, f"Page: {page}")
    text = page.read_text(encoding="utf-8")
    assert "washer" in text
    heads = '<th class="group" colspan="3">Dice at most, output of</th></tr><tr><th class="number">1/8</th>'
    assert heads in text
    assert "A square of 20 x 20 pixels has size 20" in text
    assert text.count("data:image/jpeg;base64,") == 2 * 15  # each with and without its mask
    assert not [address for address in ("http:", "https:", "<script", 'src="/', "url(") if address in text]


def test_the_page_shows_images_without_masks(otx: Any, data: Path, tmp_path: Path) -> None:
    bare, page = data / "train" / "images", tmp_path / "page.html"
    sorted(bare.iterdir())[3].write_bytes(b"text")
    outcome = otx("check", "--data-roots", bare, "--html", page)
    assert outcome.code == 0
    assert "64x64" in outcome.out
    text = page.read_text(encoding="utf-8")
    assert "<h2>Images: unlabelled</h2>" in text
    assert text.count("data:image/jpeg;base64,") == text.count("<figcaption>unlabelled: ") == 11


def test_a_page_is_written_of_data_that_cannot_be_used(otx: Any, data: Path, tmp_path: Path) -> None:
    for path in (data / "train" / "masks").iterdir():
        path.write_bytes(b"text")
    outcome = otx("check", "--data-roots", data, "--html", tmp_path / "page.html")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (3, f"Page: {tmp_path / 'page.html'}")
    assert "not usable: 1 error" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_is_not_replaced_unasked(otx: Any, valid: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    refused = otx("check", "--data-roots", valid, "--html", page)
    assert (refused.code, page.read_text()) == (2, "mine")
    assert "--overwrite" in refused.message
    assert otx("check", "--data-roots", valid, "--html", page, "--overwrite").code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("data/train/page.html", "a data folder"),
        ("data/../data/page.html", "a data folder"),
        ("folder", "is a folder"),
        ("file/page.html", "below another file"),
    ],
)
def test_places_where_no_page_can_be(otx: Any, data: Path, place: str, text: str) -> None:
    (data.parent / "folder").mkdir()
    (data.parent / "file").write_text("mine")
    before = sorted(data.parent.rglob("*"))
    outcome = otx("check", "--data-roots", data, "--html", data.parent / place)
    assert outcome.code == 2
    assert text in outcome.message
    assert sorted(data.parent.rglob("*")) == before


def test_a_file_of_annotations_is_never_replaced(otx: Any, drawn_data: Path, drawn_as_coco: dict[str, Path]) -> None:
    file = drawn_as_coco["train"]
    before = file.read_bytes()
    outcome = otx("check", "--data-roots", drawn_data, "--train-ann-files", file, "--html", file, "--overwrite")
    assert (outcome.code, "is an annotation file, which is never replaced" in outcome.message) == (2, True)
    assert file.read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that nobody can write to")
def test_a_place_that_cannot_be_written_to_is_refused_before_work(otx: Any, tmp_path: Path) -> None:
    outcome = otx("check", "--data-roots", tmp_path / "nowhere", "--html", "/proc/page.html")
    assert outcome.code == 2
    assert "/proc/page.html: cannot be written there" in outcome.message


def test_wrong_usage(otx: Any, data: Path, tmp_path: Path) -> None:
    outcome = otx("check")
    assert (outcome.code, "--data-roots" in outcome.message) == (2, True)
    outcome = otx("check", "--data-roots", tmp_path / "nowhere")
    assert (outcome.code, "no such folder" in outcome.message) == (3, True)
    outcome = otx("check", "--data-roots", data, "--data-roots", data)
    assert (outcome.code, "named twice" in outcome.message) == (2, True)
    (tmp_path / "empty").mkdir()
    outcome = otx("check", "--data-roots", tmp_path / "empty")
    assert (outcome.code, "there are no files in it" in outcome.message) == (3, True)


def test_odd_names(otx: Any, valid: Path, tmp_path: Path) -> None:
    odd = tmp_path / "[red] <b>&amp; :smile: \"'"
    shutil.copytree(valid, odd)
    name = "<img src=x onerror=alert(1)>"
    shutil.copy(odd / "train" / "images" / "0001.jpg", odd / "train" / "images" / f"{name}.jpg")
    shutil.copy(odd / "train" / "masks" / "0001.png", odd / "train" / "masks" / f"{name}.png")
    (odd / "train" / "images" / "<i>.jpg").write_bytes(b"")
    outcome = otx("check", "--data-roots", odd, "--html", tmp_path / "page.html")
    assert outcome.code == 0, outcome.err
    assert f"{odd}/train/images/0001.jpg: also {odd}/train/images/{name}.jpg" in outcome.out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "[red] &lt;b&gt;&amp;amp; :smile:" in text
    assert "<b>&amp;" not in text
    assert "<img src=x" not in text


def test_it_needs_no_torch(valid: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom otx_seg.cli.main import main\n"
        f"try: main(['check', '--data-roots', {str(valid)!r}, '--html', {str(tmp_path / 'page.html')!r}])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'matplotlib', 'openvino'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
