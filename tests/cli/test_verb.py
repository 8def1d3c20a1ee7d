"""A file or folder without its option: which one it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import otx_seg
from otx_seg.cli.main import VERBS, cli
from otx_seg.cli.verb import Verb
from otx_seg.errors import UsageError


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_names_options(name: str) -> None:
    assert isinstance(cli.get_command(None, name), Verb)  # type: ignore[arg-type]


@pytest.fixture
def here(otx: Any) -> None:
    """In the current folder: data, a folder called like a template, and one of a training run."""
    for folder in ("data", "SegNext-t", "run/models"):
        Path(folder).mkdir(parents=True)
    Path("run/models/weights.pth").touch()
    Path("photo.jpg").touch()


@pytest.mark.parametrize("option", ["--model", "--template"])
def test_a_template_with_an_option_that_only_others_have(otx: Any, option: str) -> None:
    outcome = otx("train", option, "SegNext-t", "--train-data-roots", "data")
    assert outcome.code == 2
    assert f"{option}: the template is given without an option, as in otx train SegNext-t" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("benchmark model.xml", "--load-weights model.xml"),
        ("benchmark --seconds 1 a.pth b.onnx c.xml", "--load-weights a.pth b.onnx c.xml"),
        ("benchmark data", "--data-roots data"),
        ("check data", "--data-roots data"),
        ("convert data --output out", "--data-roots data"),
        ("build data", "--train-data-roots data"),
        ("build --workspace w mine.yaml", "--model mine.yaml"),
        ("train data", "--train-data-roots data"),
        ("train Lite-HRNet-18 data", "--train-data-roots data"),
        ("train weights.pth params --a.b 1", "--load-weights weights.pth"),
        ("run data", "--train-data-roots data"),
        ("eval data", "--test-data-roots data"),
        ("eval model.ONNX", "--load-weights model.ONNX"),
        ("eval run", "--load-weights run"),
        ("predict data", "--input data"),
        ("predict photo.jpg", "--input photo.jpg"),
        ("predict a/b/nowhere.jpg", "--input a/b/nowhere.jpg"),
        ("predict package.zip", "--load-weights package.zip"),
        ("explain data", "--explain-data-roots data"),
        ("export data", "--load-weights data"),
        ("optimize model.xml", "--load-weights model.xml"),
        ("deploy model.xml", "--load-weights model.xml"),
        ("demo drives/1.mp4", "--input drives/1.mp4"),
    ],
)
def test_the_option_of_a_stray_file_or_folder(otx: Any, here: None, words: str, told: str) -> None:
    before = sorted(Path().rglob("*"))
    outcome = otx(*words.split())
    verb, option, first = words.split()[0], *told.split()[:2]
    assert outcome.code == 2
    assert outcome.message == f"Error: {first}: is given without its option, which is {option}, as in otx {verb} {told}"
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("predict nothing", 2, "unexpected extra argument (nothing)"),
        ("check", 2, "--data-roots is missing"),
        ("check --data-root data", 2, "here this is --data-roots FOLDER"),
        ("check data --help", 0, ""),
        ("quickstart data", 2, "unexpected extra argument"),
        # A folder that is called like a template does not hide it.
        ("train SegNext-t", 2, "--train-data-roots is missing"),
        ("train segnext-T", 2, "--train-data-roots is missing"),
    ],
)
def test_what_is_no_stray_file(otx: Any, here: None, words: str, code: int, told: str) -> None:
    outcome = otx(*words.split())
    assert outcome.code == code
    assert told in outcome.message
    assert "stands without" not in outcome.message


@pytest.mark.parametrize(
    "words",
    [
        "predict --input http://user:secret@host/a.png",
        "train --train-data-roots https://host/data?key=secret",
        "train http://host/template.yaml --train-data-roots data",
        "eval --load-weights s3://bucket/weights.pth",
        "find --template http://host/t.yaml",
        "check --data-roots data --data-roots http://host/data",
        "demo --input http://host/camera --load-weights http://host/weights.pth",
    ],
)
def test_an_address_is_no_path(otx: Any, words: str) -> None:
    outcome = otx(*words.split())
    assert outcome.code == 2
    assert "is a URL; download what is there, and give its path" in outcome.message
    assert "secret" not in outcome.message


@pytest.mark.parametrize("given", ["http://user:secret@host/w.pth", Path("http://user:secret@host/w.pth")])
def test_an_address_is_no_path_in_python_either(given: Any) -> None:
    for call in (lambda: otx_seg.predict("a.png", load_weights=given), lambda: otx_seg.benchmark([given])):
        with pytest.raises(UsageError, match=r"http:/+host/w.pth: is a URL; download"):
            call()


def test_an_address_is_no_place_to_write(otx: Any) -> None:
    outcome = otx("export", "--load-weights", "weights.pth", "--output", "file://data/x")
    assert outcome.code == 2
    assert "--output file://data/x: is a URL; name a folder here" in outcome.message


def test_a_demo_of_an_address(otx: Any) -> None:
    outcome = otx("demo", "--input", "http://user:secret@127.0.0.1:1/camera", "--load-weights", "a.pth")
    assert outcome.code == 3
    assert "http://127.0.0.1:1/camera: gives no stream within 8 s" in outcome.message
