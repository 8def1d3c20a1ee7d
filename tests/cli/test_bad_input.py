"""Everything a user can get wrong: the exit code, one clear message, nothing lost, no traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from brief_training import PARAMETERS
from PIL import Image
from small_network import small_file

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.template import find_template_file

PARAMS = ["params", *(f"--{name}={value}" for name, value in PARAMETERS.items() if "num_iters" not in name)]
PARAMS.append("--learning_parameters.num_iters=1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of its own for each test to damage: ``train`` with 4 and ``val`` with 1 image of 64 x 64 pixels."""
    draw_dataset(tmp_path / "data", images=5, size=64, seed=1)
    return tmp_path / "data"


@pytest.fixture
def train(otx: Any, data: Path) -> Any:
    """Train on the damaged data; gives the outcome."""

    def call(*arguments: object, roots: Path | None = None) -> Any:
        root = roots or data / "train"
        return otx(
            "train",
            small_file(),
            "--train-data-roots",
            root,
            "--val-data-roots",
            data / "val",
            *arguments,
            *PARAMS,
        )

    return call


def edit_meta(folder: Path, **changes: object) -> None:
    path = folder / "dataset_meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def validate_on_background(data: Path) -> None:
    """Ignore other labels in validation: training images that show them are going to be missing."""
    names = json.loads((data / "val" / "dataset_meta.json").read_text())["label_map"].values()
    edit_meta(data / "val", ignored_labels={"*": [name for name in names if name != "background"]})


def refused(outcome: Any, code: int, *texts: str) -> None:
    assert outcome.code == code, outcome.err
    message = outcome.message
    assert message.count("Error:") == 1
    for text in texts:
        assert text in message, f"{text!r} is not in: {message}"


# ---------------------------------------------------------------------- folders and files


def test_missing_folder(train: Any, tmp_path: Path) -> None:
    refused(train(roots=tmp_path / "nowhere"), 3, "nowhere")


def test_no_training_data_named(otx: Any) -> None:
    refused(otx("train"), 2, "--train-data-roots is missing")


def test_no_images(train: Any, data: Path) -> None:
    for path in (data / "train" / "images").iterdir():
        path.unlink()
    refused(train(), 3, "images")


def test_an_image_without_mask_and_a_mask_without_image_are_listed_and_skipped(train: Any, data: Path) -> None:
    validate_on_background(data)
    (data / "train" / "masks" / "0000.png").unlink()
    (data / "train" / "images" / "0001.jpg").unlink()
    outcome = train()
    assert outcome.code == 0, outcome.err
    assert "0000.jpg" in outcome.message
    assert "0001.png" in outcome.message
    assert "training data: 2 images" in outcome.message


def test_nothing_is_left(train: Any, data: Path) -> None:
    for path in (data / "train" / "masks").iterdir():
        path.unlink()
    refused(train(), 3, "mask")


def test_a_broken_image_is_listed_and_skipped(train: Any, data: Path, tmp_path: Path) -> None:
    validate_on_background(data)
    whole = data / "train" / "images" / "0000.jpg"
    whole.write_bytes(whole.read_bytes()[:600])
    (data / "train" / "images" / "0001.jpg").unlink()
    (data / "train" / "images" / "0001.png").write_text("this is not an image")
    outcome = train("-o", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "training data: 2 images" in outcome.message
    for text in (outcome.message, (tmp_path / "run" / "cli_report.log").read_text()):
        assert "0000.jpg" in text
        assert "0001.png: not an image" in text


def test_images_that_are_not_predicted_are_told_and_logged(otx: Any, data: Path, tiny_ir: Path, tmp_path: Path) -> None:
    (data / "val" / "images" / "text.png").write_text("this is not an image")
    outcome = otx("predict", "-i", data / "val" / "images", "--load-weights", tiny_ir, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert outcome.message.count("skipped:") == 1
    assert "1 mask written" in outcome.out
    for text in (outcome.message, (tmp_path / "out" / "logs" / "otx.log").read_text()):
        assert "text.png: not an image" in text


@pytest.mark.parametrize("existed", [False, True])
def test_a_refused_command_leaves_nothing(otx: Any, data: Path, tiny_ir: Path, tmp_path: Path, existed: bool) -> None:
    images = data / "val" / "images"
    for path in images.iterdir():
        path.write_text("this is not an image")
    output = tmp_path / "a" / "b"
    if existed:
        output.mkdir(parents=True)
        (output / "mine.txt").touch()
    words = ("--load-weights", tiny_ir, "-o", output)
    for call in (
        ("predict", "-i", images, *words),
        ("demo", "-i", images, "--delay", -1, *words),
        ("eval", "--test-data-roots", data / "val", *words),
        ("train", "--train-data-roots", data / "val", "--val-data-roots", data / "val", "-o", output, *PARAMS),
    ):
        assert otx(*call).code in (2, 3)
        assert sorted(path.name for path in output.rglob("*")) == (["mine.txt"] if existed else [])
        assert (tmp_path / "a").exists() == existed
    # Nor in the workspace that is chosen without --output.
    assert otx("predict", "-i", images, "--load-weights", tiny_ir).code == 3
    assert not list(Path.cwd().iterdir())


def test_an_image_bomb(train: Any, data: Path) -> None:
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (data / "train" / "images" / "0000.jpg").unlink()
    (data / "train" / "images" / "0000.png").write_bytes(png)
    outcome = train()
    assert outcome.code == 0, outcome.err
    assert "0000.png" in outcome.message
    assert "training data: 3 images" in outcome.message


def test_unlabelled_images_that_are_not_there(train: Any, data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(train("--unlabeled-data-roots", tmp_path / "empty"), 3, "empty", "no images")
    refused(train("--unlabeled-data-roots", tmp_path / "nowhere"), 3, "nowhere", "no such file or folder")
    refused(train("--unlabeled-data-roots", data / "train"), 3, "each of its", "also labelled")
    refused(train("--train-type", "semisupervised"), 2, "give --unlabeled-data-roots")
    refused(train("--train-type", "halfsupervised"), 2, "did you mean")


def test_odd_unlabelled_images(train: Any, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"nothing")
    refused(train("--unlabeled-data-roots", folder), 3, "none of the 1 images can be used", "broken.jpg")
    rng = np.random.default_rng(0)
    shapes = {"wide": (20, 300, 3), "high": (500, 31, 3), "grey": (64, 64), "one pixel": (1, 1, 3)}
    for name, shape in shapes.items():
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{name}.png")
    Image.fromarray(rng.integers(0, 65536, (40, 50), np.uint16)).save(folder / "deep.png")
    outcome = train("--unlabeled-data-roots", folder)
    assert outcome.code == 0, outcome.err
    assert "broken.jpg" in outcome.message
    assert "unlabelled data: 5 images" in outcome.message
    assert "Semisupervised, because unlabelled images are given" in outcome.message


def test_bare_images(otx: Any, train: Any, data: Path, tmp_path: Path) -> None:
    bare = data / "train" / "images"
    small = [*PARAMS, "--pseudo_masks.min_size=50"]
    outcome = otx("train", small_file(), "--train-data-roots", bare, "--output", tmp_path / "run", *small)
    assert outcome.code == 0, outcome.err
    assert f"Selfsupervised, because {bare} has images without masks" in outcome.message.replace("\n", " ")
    assert "--train-data-roots LABELLED" in outcome.out
    assert not (bare / "detcon_mask").exists()
    # with validation data, or with unlabelled images beside them, the masks are missing
    refused(train(roots=bare), 3, "and no masks; put masks of the same names")
    refused(train("--train-type", "SelfSupervised"), 2, "leave out --val-data-roots")
    refused(
        otx("train", "--train-data-roots", bare, "--unlabeled-data-roots", bare, *PARAMS),
        3,
        "and no masks; put masks of the same names",
    )
    single = tmp_path / "single"
    single.mkdir()
    shutil.copy(min(bare.iterdir()), single)
    refused(otx("train", "--train-data-roots", single, *PARAMS), 3, "a single image")


# ---------------------------------------------------------------------- masks and labels


def test_a_mask_of_another_size(train: Any, data: Path) -> None:
    cv2.imwrite(str(data / "train" / "masks" / "0002.png"), np.zeros((64, 32), np.uint8))
    refused(train(), 3, "0002.png")


def test_a_value_that_is_no_label(train: Any, data: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[0, 0] = 77
    cv2.imwrite(str(data / "train" / "masks" / "0002.png"), mask)
    refused(train(), 3, "0002.png", "77", "0")


def test_a_colour_that_is_no_label(train: Any, data: Path) -> None:
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[5, 5] = (3, 2, 1)
    cv2.imwrite(str(data / "train" / "masks" / "0002.png"), mask)
    refused(train(), 3, "0002.png", "(1, 2, 3)")


def test_only_one_label_occurs(train: Any, data: Path) -> None:
    for path in (data / "train" / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))
    refused(train(), 3, "background")


def test_one_image_only(otx: Any, data: Path) -> None:
    for name in ("0001", "0002", "0003"):
        (data / "train" / "images" / f"{name}.jpg").unlink()
        (data / "train" / "masks" / f"{name}.png").unlink()
    refused(otx("train", "Lite-HRNet-s-mod2", "--train-data-roots", data / "train", *PARAMS), 3, "--val-data-roots")


def test_one_image_only_with_validation_data_trains(train: Any, data: Path) -> None:
    validate_on_background(data)
    for name in ("0001", "0002", "0003"):
        (data / "train" / "images" / f"{name}.jpg").unlink()
        (data / "train" / "masks" / f"{name}.png").unlink()
    assert train().code == 0


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "dataset_meta.json"),
        ('{"label_map": {"0": "a", "1": "a"}}', "a"),
        ('{"label_map": {"0": "a", "1": "../../b"}}', "../../b"),
        ('{"label_map": {"0": "a", "0": "b"}}', "dataset_meta.json"),
        ("{}", "label_map"),
    ],
)
def test_a_broken_meta_file(train: Any, data: Path, content: str, text: str) -> None:
    (data / "train" / "dataset_meta.json").write_text(content)
    refused(train(), 3, text)


def test_a_missing_meta_file(train: Any, data: Path) -> None:
    (data / "train" / "dataset_meta.json").unlink()
    refused(train(), 3, "dataset_meta.json")


def test_label_sets_that_differ_between_training_and_validation(train: Any, data: Path) -> None:
    names = ["background", "button", "plate", "wedge", "gear", "spoon"]
    edit_meta(data / "val", label_map={str(index): name for index, name in enumerate(names)})
    refused(train(), 3, "spoon", "washer")


# ---------------------------------------------------------------------- parameters and templates


def test_a_batch_larger_than_the_data(otx: Any, data: Path) -> None:
    words = [word for word in PARAMS if "batch_size" not in word] + ["--learning_parameters.batch_size=64"]
    outcome = otx("train", small_file(), "--train-data-roots", data, *words)
    assert outcome.code == 0, outcome.err


def a_template(tmp_path: Path, **changes: object) -> Path:
    content = yaml.safe_load(find_template_file("Lite-HRNet-s-mod2").read_text())
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"lossess": []}, "did you mean 'losses'"),
        ({"gigaflops": "many"}, "gigaflops"),
        ({"losses": [{"type": "CrossEntropi", "weight": 1.0}]}, "did you mean 'CrossEntropy'"),
        ({"losses": [{"type": "CrossEntropy"}]}, "needs a number above 0 as weight"),
        ({"losses": [{"type": "CrossEntropy", "weight": 1.0, "gamma": 2}]}, "gamma"),
        ({"train_pipeline": [{"type": "os.system"}]}, "os.system"),
        ({"optimizer": {"type": "Adamm"}}, "did you mean"),
    ],
)
def test_a_template_that_is_wrong(otx: Any, data: Path, tmp_path: Path, changes: dict[str, object], text: str) -> None:
    refused(otx("train", a_template(tmp_path, **changes), "--train-data-roots", data, *PARAMS), 2, text)


def test_an_impossible_network_is_told_before_the_data_is_read(otx: Any, data: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(find_template_file("Lite-HRNet-s-mod2").read_text())
    content["model"]["decode_head"]["in_channels"] = [60, 120, 64]
    outcome = otx("train", a_template(tmp_path, **content), "--train-data-roots", data, *PARAMS)
    refused(outcome, 2, "model.decode_head.in_channels is [60, 120, 64], but", "[60, 120, 240]")
    assert "checking" not in outcome.err


def test_a_template_that_would_run_something(otx: Any, data: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(find_template_file("Lite-HRNet-s-mod2").read_text())
    marker = tmp_path / "executed"
    backbone = {"type": "subprocess.check_output", "args": ["touch", str(marker)]}
    path = a_template(tmp_path, model={**content["model"], "backbone": backbone})
    refused(otx("train", path, "--train-data-roots", data, *PARAMS), 2, "subprocess.check_output")
    assert not marker.exists()


# ---------------------------------------------------------------------- splits


def with_comet(folder: Path, name: str | None) -> None:
    """Add the label comet to a data set, and to the mask `name` if there is one."""
    meta = json.loads((folder / "dataset_meta.json").read_text())
    edit_meta(
        folder,
        label_map={**meta["label_map"], "6": "comet"},
        segmentation_colors=[*meta["segmentation_colors"], [1, 2, 3]],
    )
    if name is not None:
        mask = cv2.imread(str(folder / "masks" / name), cv2.IMREAD_UNCHANGED)
        mask[:4, :4] = 6
        cv2.imwrite(str(folder / "masks" / name), mask)


def test_a_split_that_leaves_a_label_without_training_pixels(train: Any, data: Path, tmp_path: Path) -> None:
    with_comet(data / "train", None)
    with_comet(data / "val", "0004.png")
    outcome = train("--output", tmp_path / "run")
    refused(outcome, 3, "no training pixel shows 'comet' (1 validation image)", "move images there", '{"*": ["comet"]}')
    assert not (tmp_path / "run").exists()
    # The last of the ways out that the message names:
    edit_meta(data / "val", ignored_labels={"*": ["comet"]})
    assert train("--output", tmp_path / "run").code == 0


def test_a_label_without_any_pixel_is_no_mistake(train: Any, data: Path) -> None:
    with_comet(data / "train", None)
    with_comet(data / "val", None)
    assert train().code == 0


def test_an_auto_that_nothing_decides(otx: Any, data: Path) -> None:
    arguments = ("train", "--train-data-roots", data, "params", "--learning_parameters.learning_rate=auto")
    refused(otx(*arguments), 2, "learning_parameters.learning_rate: 'auto' is not usable")


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (("--mem-cache-size", "lots"), ("--mem-cache-size: 'lots'", "such as 500MB")),
        (("--mem-cache-size", "9999GB"), ("algo_backend.mem_cache_size", "0 to 1000000000000")),
        (("--world-size", "0"), ("--world-size",)),
        (("--base-rank", "1", "--world-size", "2", "--rdzv-endpoint", "nowhere"), ("nowhere", "is not HOST:PORT")),
        (("--base-rank", "2", "--world-size", "2"), ("--base-rank 2", "have ranks 0 to 1")),
    ],
)
def test_cache_and_processes(otx: Any, data: Path, words: tuple[str, ...], texts: tuple[str, ...]) -> None:
    root = data / "train"
    outcome = otx("train", "--train-data-roots", root, *words)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    for text in texts:
        assert text in outcome.message
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("gpus", "there", "text"),
    [("0,9", 1, "there is no GPU 9; this machine has 0 (GPU 0)"), ("0,9", 0, "finds no GPU"), ("a", 1, "GPU numbers")],
)
def test_gpus_that_are_not_there(
    otx: Any, data: Path, gpus: str, there: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    refused(otx("train", "--train-data-roots", data / "train", "--gpus", gpus), 2, f"--gpus {gpus}", text)
    assert not list(Path.cwd().iterdir())


def test_a_port_that_is_in_use(otx: Any, data: Path) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        endpoint = f"localhost:{other.getsockname()[1]}"
        words = ("--rdzv-endpoint", endpoint, "--world-size", 2)
        refused(otx("train", "--train-data-roots", data / "train", *words), 2, endpoint, "in use", "another one")
    assert not list(Path.cwd().iterdir())


def test_a_cache_asked_for_twice(otx: Any, data: Path) -> None:
    words = ("--mem-cache-size", "1MB", "params", "--algo_backend.mem_cache_size=5")
    refused(otx("train", "--train-data-roots", data / "train", *words), 2, "--mem-cache-size", "give one of them")


# ---------------------------------------------------------------------- weights


def test_weights_that_are_no_checkpoint(otx: Any, data: Path, tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "weights.pth").write_text("hello")
    evaluate = ("eval", "--test-data-roots", data, "--load-weights")
    refused(otx(*evaluate, tmp_path / "weights.pth"), 2, "weights.pth")
    refused(otx(*evaluate, tmp_path / "missing.pth"), 2, "missing.pth")
    refused(otx(*evaluate, tmp_path / "weights.txt"), 2, ".pth")
    # labels that are not those of the data, and a template that is not that of the weights
    refused(otx(*evaluate, tiny_weights), 2, "red brick", "button")
    refused(otx("eval", "SegNext-t", *evaluate[1:], tiny_weights), 2, "Lite-HRNet-s-mod2", "SegNext-t")
    words = ["--load-weights", tiny_weights, *PARAMS]
    refused(otx("train", "SegNext-t", "--train-data-roots", data, *words), 2, "Lite-HRNet-s-mod2", "SegNext-t")


class Malicious:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize("verb", ["train", "resume", "eval", "export"])
def test_weights_that_would_run_code(otx: Any, data: Path, tmp_path: Path, verb: str) -> None:
    evil = tmp_path / "evil.pth"
    torch.save({"model": {"state_dict": Malicious(str(tmp_path / "executed"))}}, evil)
    arguments: dict[str, tuple[object, ...]] = {
        "train": ("train", "Lite-HRNet-s-mod2", "--train-data-roots", data, "--load-weights", evil, *PARAMS),
        "resume": ("train", "--resume-from", evil),
        "eval": ("eval", "--test-data-roots", data, "--load-weights", evil),
        "export": ("export", "--load-weights", evil),
    }
    refused(otx(*arguments[verb]), 2, "could run code")
    assert not (tmp_path / "executed").exists()


def test_parameters_that_a_command_does_not_look_at(otx: Any, data: Path, tiny_weights: Path, tiny_ir: Path) -> None:
    words = ("--load-weights", tiny_weights, "params", "--learning_parameters.input_size=128x128")
    refused(otx("eval", "--test-data-roots", data, *words), 2, "has no effect here", "inference_batch_size")
    words = ("--load-weights", tiny_ir, "params", "--learning_parameters.batch_size=3")
    refused(otx("optimize", "--train-data-roots", data, *words), 2, "has no effect here", "pot_parameters.preset")
    words = ("--load-weights", tiny_weights, "params", "--nncf_optimization.accuracy_control_minutes=3")
    refused(otx("optimize", "--train-data-roots", data, *words), 2, "has no effect here", "num_epochs")
    words = ("--load-weights", tiny_ir, "params", "--nncf_optimization.num_epochs=3")
    refused(otx("optimize", "--train-data-roots", data, *words), 2, "has no effect here", "accuracy_control_minutes")
    refused(otx("optimize", "--train-data-roots", data), 2, "--load-weights is missing")
    refused(otx("optimize", "--load-weights", tiny_ir), 2, "--train-data-roots is missing")
    refused(otx("optimize", "--resume-from", data), 2, "has no checkpoint to resume from")


def test_an_input_size_that_no_network_takes(otx: Any, tiny_weights: Path, tmp_path: Path) -> None:
    words = ("export", "--load-weights", tiny_weights, "--output", tmp_path / "exported", "--input-size")
    refused(otx(*words, "100x64"), 2, "input_size: '100x64'", "100 is not a multiple of 32 from 64 to 2048")
    refused(otx(*words, "huge"), 2, "input_size: 'huge'", "HEIGHTxWIDTH, such as 512x512")


def test_an_option_without_its_value(otx: Any, tiny_weights: Path, tmp_path: Path) -> None:
    words = ("export", "--load-weights", tiny_weights, "--dynamic")
    refused(otx(*words, "-o", tmp_path / "out"), 2, "needs a value: batch, size or both; not '-o'")
    refused(otx(*words, "shape"), 2, "'shape' is not one of 'batch', 'size', 'both'")


def test_models_of_the_wrong_kind(otx: Any, tiny_weights: Path, tiny_ir: Path, tiny_onnx: Path, data: Path) -> None:
    exported = "is already exported; `otx export` takes the .pth of `otx train`"
    for model in (tiny_ir, tiny_onnx):
        refused(otx("export", "--load-weights", model), 2, f"{model}: {exported}")
    refused(otx("optimize", "--train-data-roots", data, "--load-weights", tiny_onnx), 2, "cannot be quantised; give")
    binary = tiny_ir.with_suffix(".bin")
    refused(otx("optimize", "--train-data-roots", data, "--load-weights", binary), 2, f"the .xml beside it: {tiny_ir}")
    for verb in (
        ("predict", "-i", data / "val"),
        ("eval", "--test-data-roots", data),
        ("explain", "--explain-data-roots", data),
        ("benchmark",),
        ("optimize", "--train-data-roots", data),
        ("deploy",),
    ):
        refused(otx(*verb, "--load-weights", tiny_ir.parent), 2, f"is a folder; give the model in it: {tiny_ir}")
    for verb in (("export",), ("train", "--train-data-roots", data)):
        outcome = otx(*verb, "--load-weights", tiny_weights.parent)
        refused(outcome, 2, f"is a folder; give the model in it: {tiny_weights}")
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("optimize",), "--load-weights is missing"),
        (("optimize", "--load-weights", "none.xml", "--train-data-roots", "."), "none.xml: there is no such file"),
        (("optimize", "--load-weights", "none.onnx"), "none.onnx: cannot be quantised"),
        (("export",), "--load-weights is missing"),
        (("export", "--load-weights", "none.pth"), "none.pth: there is no such file"),
    ],
)
def test_plain_mistakes_are_told_before_the_long_imports(words: tuple[str, ...], text: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom otx_seg.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as ended: print(ended.code)\n"
        "print({'torch', 'nncf', 'numpy', 'openvino'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert text in result.stderr
    assert result.stdout == "2\nset()\n"


# ---------------------------------------------------------------------- handing over and showing


def test_an_ir_without_its_bin(otx: Any, data: Path, tiny_ir: Path, tmp_path: Path) -> None:
    lone = tmp_path / "lone.xml"
    shutil.copy(tiny_ir, lone)
    for words in (
        ("deploy",),
        ("demo", "-i", data / "val"),
        ("predict", "-i", data / "val"),
        ("eval", "--test-data-roots", data),
        ("optimize", "--train-data-roots", data),
        ("benchmark",),
    ):
        refused(otx(*words, "--load-weights", lone), 2, "lone.bin: missing", "keep it beside lone.xml")
    assert not list(Path.cwd().iterdir())


def test_what_cannot_be_deployed(otx: Any, tiny_weights: Path, tiny_onnx: Path) -> None:
    refused(otx("deploy", "--load-weights", tiny_weights), 2, f"otx export --load-weights {tiny_weights}")
    refused(otx("deploy", "--load-weights", tiny_onnx), 2, "otx export --load-weights WEIGHTS.pth")
    refused(otx("deploy"), 2, "--load-weights")


def test_zips_that_would_write_elsewhere(otx: Any, data: Path, tmp_path: Path) -> None:
    evil, linked = tmp_path / "evil.zip", tmp_path / "linked.zip"
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("../evil.txt", "hello")
    link = zipfile.ZipInfo("model/model.bin")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(linked, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    for words in (("demo", "-i", data / "val"), ("predict", "-i", data / "val"), ("eval", "--test-data-roots", data)):
        refused(otx(*words, "--load-weights", evil), 2, "'../evil.txt' leads out of the zip", "nothing was read")
        refused(otx(*words, "--load-weights", linked), 2, "'model/model.bin' is a link")
    for words in (
        ("deploy",),
        ("export",),
        ("optimize", "--train-data-roots", data),
        ("benchmark",),
        ("train", "Lite-HRNet-s-mod2", "--train-data-roots", data, "--val-data-roots", data),
    ):
        refused(otx(*words, "--load-weights", evil), 2, "evil.zip")
    assert not list(tmp_path.rglob("evil.txt"))
    assert not list(Path.cwd().iterdir())


def test_streams_that_cannot_be_shown(otx: Any, tiny_ir: Path, tmp_path: Path) -> None:
    demo = ("demo", "--load-weights", tiny_ir, "-i")
    refused(otx(*demo, 93), 3, "camera 93: cannot be opened", "The first camera is 0")
    refused(otx(*demo, tmp_path / "nothing.mp4"), 3, "nothing.mp4: no such file or folder")
    (tmp_path / "text.mp4").write_text("hello")
    refused(otx(*demo, tmp_path / "text.mp4"), 3, "neither an image nor a video")
    refused(otx("demo", "-i", tmp_path), 3, "no images in this folder")
    refused(otx(*demo, tmp_path / "text.mp4", "--loop", "-o", tmp_path), 2, "leave one of them out")
    refused(otx(*demo, tmp_path / "text.mp4", "--fit-to-size", 0, 7), 2, "fit-to-size")
    assert not list(Path.cwd().iterdir())


def test_a_video_is_for_the_demo(otx: Any, tiny_ir: Path, tmp_path: Path) -> None:
    (tmp_path / "my clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    outcome = otx("predict", "-i", tmp_path / "my clip.mp4", "--load-weights", tiny_ir, "-o", tmp_path / "out")
    refused(outcome, 3, "clip.mp4: is not an image; if it is a video", f"otx demo --input '{tmp_path}/my clip.mp4'")
    assert not (tmp_path / "out").exists()


def test_a_video_that_ends_early(otx: Any, tiny_ir: Path, tmp_path: Path) -> None:
    video = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(9):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    video.write_bytes(b"00dc".join(video.read_bytes().split(b"00dc")[:5]))
    # What could be read is done, as with images of a folder that cannot be read.
    outcome = otx("demo", "--load-weights", tiny_ir, "-i", video, "--delay", -1, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert outcome.message.count("Warning:") == 1
    assert "drive.avi: the video ends early: it announces 9 frames" in outcome.message
    assert (tmp_path / "out" / "drive_000003.png").is_file()
    assert re.search(r"3 frames, [\d.]+ per second, [\d.]+ ms to a mask", (tmp_path / "out/logs/otx.log").read_text())
    assert not (tmp_path / "out" / "drive_000005.png").exists()


# ---------------------------------------------------------------------- teachers


def test_teachers_that_cannot_teach(train: Any, otx: Any, data: Path, tiny_weights: Path, tmp_path: Path) -> None:
    refused(train("--teacher", "gone.pth"), 2, "--teacher gone.pth: there is no such file")
    refused(train("--teacher", data), 2, "is a folder, and no model is in it")
    (tmp_path / "text.xml").write_text("this is no model")
    (tmp_path / "text.bin").touch()
    refused(train("--teacher", tmp_path / "text.xml"), 2, "text.xml: is not an OpenVINO model")
    refused(train("--teacher", tiny_weights), 2, "other labels than the data: it lacks 'button'", "has 'red brick'")
    images = data / "train" / "images"
    refused(otx("train", small_file(), "--train-data-roots", images, "--teacher", tiny_weights), 2, "self-supervised")


def test_a_backbone_teaches_nothing(train: Any, otx: Any, data: Path, tmp_path: Path) -> None:
    few = [word for word in PARAMS if "ema_keep" not in word]
    run = tmp_path / "backbone"
    assert otx("train", small_file(), "--train-data-roots", data / "train" / "images", "-o", run, *few).code == 0
    refused(train("--teacher", run / "models" / "weights.pth"), 2, "--teacher", "holds a backbone alone")


def test_parameters_of_a_teacher(otx: Any, data: Path, small_weights: Path) -> None:
    words = ("train", small_file(), "--train-data-roots", data / "train", "--val-data-roots", data / "val")
    refused(otx(*words, *PARAMS, "--distillation.temperature=2"), 2, "distillation.temperature", "--teacher")
    taught = (*words, "--teacher", small_weights, *PARAMS)
    refused(otx(*taught, "--distillation.weight=0"), 2, "distillation.weight", "above 0")
    refused(otx(*taught, "--distillation.loss=channelwise"), 2, "distillation.loss", "channel_wise")


# ---------------------------------------------------------------------- places that cannot be written


def test_a_full_disk(data: Path, tmp_path: Path) -> None:
    # No file may grow beyond 64 KB: the template and the logs fit, the checkpoint does not.
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from otx_seg.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "main(sys.argv[1:])\n"
    )
    run = tmp_path / "run"
    words = ["train", str(small_file()), "--train-data-roots", str(data), "-o", str(run), *PARAMS]
    result = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "cannot write" in result.stderr
    assert not [path for path in run.rglob("*.pth*") if path.name.startswith(".")]


def test_an_output_that_cannot_be_written(train: Any) -> None:
    refused(train("--output", "/proc/otx"), 1, "/proc/otx", "--output")


def test_a_read_only_data_folder_is_enough(train: Any, data: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    for path in [data, *data.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert train("--output", tmp_path / "run").code == 0
    finally:
        for path in [data, *data.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    # Root may write anywhere, so that nothing changed is what counts.
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before
    shutil.rmtree(data)


def test_predictions_do_not_replace_files(otx: Any, data: Path, tiny_weights: Path) -> None:
    arguments = (
        "predict",
        "--input",
        data / "val" / "images",
        "--load-weights",
        tiny_weights,
        "-o",
        data / "val" / "masks",
    )
    truth = (data / "val" / "masks" / "0004.png").read_bytes()
    refused(otx(*arguments), 2, "0004.png: exists", "--overwrite")
    assert (data / "val" / "masks" / "0004.png").read_bytes() == truth
    assert otx(*arguments, "--overwrite").code == 0


def test_no_workspace_is_made_in_a_folder_of_data(otx: Any, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data / "train")
    refused(otx("train", "Lite-HRNet-s-mod2", "--train-data-roots", ".", *PARAMS), 2, "--output")
    assert sorted(path.name for path in (data / "train").iterdir()) == ["dataset_meta.json", "images", "masks"]


@pytest.mark.parametrize("inside", ["", "out"])
def test_no_result_is_written_into_a_folder_of_data(
    otx: Any, data: Path, tiny_ir: Path, tiny_data: Any, tmp_path: Path, inside: str
) -> None:
    root, images = tmp_path / "fits", tmp_path / "fits" / "images"
    shutil.copytree(tiny_data.root, root)
    before = sorted(root.rglob("*"))
    model = ("--load-weights", tiny_ir)
    for words, output in (
        (("train", "--train-data-roots", data / "train", "--val-data-roots", root), root),
        (("eval", "--test-data-roots", root, *model), root),
        (("optimize", "--train-data-roots", root, "--val-data-roots", root, *model), root),
        (("benchmark", "--data-roots", root, *model), root),
        (("predict", "-i", images, *model), images),
        (("explain", "--explain-data-roots", images, *model), images),
        (("demo", "-i", images, "--delay", -1, *model), images),
    ):
        refused(otx(*words, "-o", output / inside, *(PARAMS if words[0] == "train" else ())), 2, "where nothing is wr")
        assert sorted(root.rglob("*")) == before


def test_a_mask_of_another_size_in_the_evaluation(otx: Any, tiny_data: Any, tiny_weights: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(tiny_data.root, root)
    cv2.imwrite(str(root / "masks" / "1.png"), np.zeros((10, 10), np.uint8))
    refused(otx("eval", "--test-data-roots", root, "--load-weights", tiny_weights), 3, "1.png", "10 x 10", "100 x 60")
