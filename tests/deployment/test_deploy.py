"""The package: what is in it, and that it runs by itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import cv2
import pytest
from numpy.testing import assert_array_equal

import otx_seg
from otx_seg.datasets import Subset
from otx_seg.deployment import deploy as module
from otx_seg.deployment.deploy import PACKAGE, deploy
from otx_seg.errors import OtxError, UsageError
from otx_seg.inference.predict import predict_images
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels
from otx_seg.runtime.masks import PostProcessing

CHECKOUT = Path(__file__).parents[2]
SOURCE = Path(otx_seg.__file__).parent


@pytest.fixture(scope="module")
def unpacked(tiny_ir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(deploy(tiny_ir, folder).package) as archive:
        archive.extractall(folder)
    return folder


def test_what_is_in_it(unpacked: Path, tiny_ir: Path) -> None:
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    own = {f"python/otx_seg/runtime/{path.name}" for path in (SOURCE / "runtime").glob("*.py")}
    assert files - own == {
        PACKAGE,
        "README.md",
        "model/config.json",
        "model/model.bin",
        "model/model.xml",
        "python/LICENSE",
        "python/demo.py",
        "python/model_api_demo.py",
        "python/otx_seg/__init__.py",
        "python/otx_seg/errors.py",
        "python/otx_seg/labels.py",
        "python/otx_seg/palette.py",
        "python/requirements.txt",
    }
    for name in (*own, "python/otx_seg/errors.py", "python/otx_seg/labels.py"):
        assert (unpacked / name).read_bytes() == (SOURCE / name.removeprefix("python/otx_seg/")).read_bytes()
    assert (unpacked / "model" / "model.xml").read_bytes() == tiny_ir.read_bytes()
    assert (unpacked / "model" / "model.bin").read_bytes() == tiny_ir.with_suffix(".bin").read_bytes()
    assert "Apache License" in (unpacked / "python" / "LICENSE").read_text()
    config = json.loads((unpacked / "model" / "config.json").read_text())
    assert config["model_parameters"]["labels"]["names"] == ["background", "red brick", "pole", "sky"]


def test_the_same_model_gives_the_same_bytes(tiny_ir: Path, unpacked: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.xml"
    shutil.copy(tiny_ir, copy)
    shutil.copy(tiny_ir.with_suffix(".bin"), copy.with_suffix(".bin"))
    found = deploy(copy, tmp_path / "out")
    assert found.package.read_bytes() == (unpacked / PACKAGE).read_bytes()
    assert found.size == found.package.stat().st_size
    assert found.labels.names[1] == "red brick"


def test_versions_are_those_of_the_toolkit(unpacked: Path) -> None:
    lines = (unpacked / "python" / "requirements.txt").read_text().splitlines()
    wanted = dict(line.split(">=") for line in lines if not line.startswith("#"))
    assert set(wanted) == {"openvino", "opencv-python-headless", "numpy", "pillow", "tifffile", "openvino-model-api"}
    declared = (CHECKOUT / "pyproject.toml").read_text() + (CHECKOUT / "requirements-test.txt").read_text()
    for name, version in wanted.items():
        assert re.search(rf'^\s*"?{name}>={re.escape(version)}[,"\n]', declared, re.MULTILINE), name


def test_the_readme_tells_of_this_model(unpacked: Path) -> None:
    text = (unpacked / "README.md").read_text()
    assert "which of 4 labels" in text
    assert "| 1 | red brick | 230, 159, 0 |" in text
    assert "resized to 64 x 64 pixels" in text
    assert "(1, 4, 64, 64)" in text
    assert "Nothing is done to the probabilities" in text
    assert "leaves open" not in text
    assert "$" not in text.replace("${", "$")


def test_the_program_in_the_readme_runs(unpacked: Path, tiny_data: Subset, capsys: pytest.CaptureFixture[str]) -> None:
    program = (unpacked / "README.md").read_text().split("```python\n")[1].split("```")[0]
    paths = {"../model": unpacked / "model", "image.jpg": tiny_data.samples[0].image}
    for written, path in paths.items():
        program = program.replace(f'"{written}"', repr(str(path)))
    exec(program, {})
    assert capsys.readouterr().out.strip() in ("background", "red brick", "pole", "sky")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (PostProcessing(0.0, 1), "Nothing is done"),
        (PostProcessing(0.5, -1), "Nothing is done"),
        (PostProcessing(0.25, 1), "Probabilities below 0.25 are set to 0 ("),
        (PostProcessing(0.0, 5), "Each label's probabilities are smoothed with a box filter of 5 x 5 pixels ("),
        (PostProcessing(0.25, 5), "5 x 5 pixels, then probabilities below 0.25 are set to 0 ("),
    ],
)
def test_post_processing_in_words(settings: PostProcessing, text: str) -> None:
    assert text in module._in_words(settings)


# What a receiver has: Python, and what requirements.txt lists for demo.py. Site-packages are there without the .pth
# files that lead to the checkout, and all else in them is refused.
RECEIVER = """
import sys
sys.path.append(sys.argv.pop(1))
HAS = {"numpy", "cv2", "PIL", "openvino", "openvino_telemetry", "otx_seg", "__main__"}
class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in HAS and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"a receiver has no {top}")
sys.meta_path.insert(0, Refuse())
script = sys.argv.pop(1)
sys.path.insert(0, str(__import__("pathlib").Path(script).parent))
sys.argv[0] = script
import otx_seg
assert otx_seg.__file__.startswith(sys.path[0]), otx_seg.__file__
__import__("runpy").run_path(script, run_name="__main__")
"""


def receive(unpacked: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", RECEIVER, sysconfig.get_path("purelib")]
    command += [str(unpacked / "python" / "demo.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=unpacked)


def test_the_receiver_lacks_the_toolkit(unpacked: Path, tmp_path: Path) -> None:
    for name in ("torch", "click", "mmseg", "otx_seg.cli"):
        script = tmp_path / "python" / "demo.py"
        script.parent.mkdir(exist_ok=True)
        shutil.copytree(unpacked / "python" / "otx_seg", script.parent / "otx_seg", dirs_exist_ok=True)
        script.write_text(f"import {name}")
        result = receive(tmp_path, "--help")
        assert result.returncode == 1
        assert "ModuleNotFoundError" in result.stderr


@pytest.mark.parametrize("way", ["sync", "async"])
def test_it_makes_the_masks_of_predict(
    way: str, unpacked: Path, tiny_ir: Path, tiny_data: Subset, tmp_path: Path
) -> None:
    images = Path(tiny_data.samples[0].image).parent
    expected = predict_images(load_predictor(tiny_ir), images, tmp_path / "predicted")
    result = receive(unpacked, "-i", images, "-it", way, "--output", tmp_path / "received", "--no_show")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "Frames: 4, " in result.stdout
    assert f"Masks: {tmp_path / 'received'}, overlays: " in result.stdout
    assert len(expected.written) == 4
    for prediction in expected.written:
        received = tmp_path / "received" / prediction.files.mask.name
        assert_array_equal(
            cv2.imread(str(received), cv2.IMREAD_UNCHANGED),
            cv2.imread(str(prediction.files.mask), cv2.IMREAD_UNCHANGED),
        )
        assert (received.parent / "overlays" / prediction.files.overlay.name).is_file()


def test_what_the_receiver_sees_when_it_fails(unpacked: Path, tmp_path: Path) -> None:
    for arguments, code, text in (
        (
            ("-i", tmp_path / "nothing.png"),
            3,
            "nothing.png: no such file or folder; give an image, a folder of images, a v",
        ),
        (("-i", tmp_path, "-m", tmp_path), 3, "no images in this folder"),
        (("-i", unpacked / "README.md"), 3, "neither an image nor a video"),
        (("-i", CHECKOUT / "docs" / "quickstart.png", "-m", tmp_path), 2, "there is no such model"),
        (("-i", CHECKOUT / "docs" / "quickstart.png", "-l", "--output", tmp_path), 2, "leave one of them out"),
    ):
        result = receive(unpacked, *arguments)
        assert result.returncode == code, result.stderr
        assert text in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_receiver_without_the_requirements(unpacked: Path) -> None:
    command = [sys.executable, "-I", "-S", str(unpacked / "python" / "demo.py"), "-i", "0"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "-m pip install -r requirements.txt" in result.stderr
    assert result.stderr.count("\n") == 1


def test_only_an_ir_can_be_handed_over(tiny_weights: Path, tiny_onnx: Path, tiny_ir: Path, tmp_path: Path) -> None:
    for model, text in (
        (tiny_weights, f"otx export --load-weights {tiny_weights} --output exported"),
        (tiny_onnx, "otx export --load-weights WEIGHTS.pth"),
        (tiny_ir.with_suffix(".bin"), f"otx deploy --load-weights {tiny_ir}"),
        (tmp_path / "x.zip", "is what this command writes"),
        (tmp_path / "x.xml", "there is no such file"),
    ):
        with pytest.raises(UsageError, match=re.escape(text)):
            deploy(model, tmp_path / "out")
    shutil.copy(tiny_ir, tmp_path / "alone.xml")
    with pytest.raises(UsageError, match=r"alone\.bin: missing"):
        deploy(tmp_path / "alone.xml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_disk(tiny_ir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("otx_seg.runtime.result_files.write_atomic", refuse)
    with pytest.raises(OtxError, match=r"openvino\.zip: cannot be written \(No space left on device\)"):
        deploy(tiny_ir, tmp_path)


def test_labels_in_the_readme_s_table_keep_to_their_columns() -> None:
    class Model:
        gives_masks = False
        labels = Labels(("a|b",), ((1, 2, 3),), background=None)
        input_size = (32, 64)
        open_batch = open_size = False
        post_processing = PostProcessing(0.0, 1)

    about = module._about(Model())  # type: ignore[arg-type]
    assert about["open"] == ""
    assert about["labels"].splitlines()[-1] == "| 0 | a\\|b | 1, 2, 3 |"
    assert (about["width"], about["height"]) == ("64", "32")


@pytest.mark.parametrize(
    ("batch", "size", "shapes"),
    [
        (True, False, "how many images it takes (N): from (N, 3, 32, 64) it\nmakes (N, 1, 32, 64)."),
        (False, True, "their height and width (H, W): from (1, 3, H, W) it\nmakes (1, 1, H, W)."),
        (True, True, "(N) and their height and width (H, W): from (N, 3, H, W) it\nmakes (N, 1, H, W)."),
    ],
)
def test_the_readme_tells_what_a_model_leaves_open(batch: bool, size: bool, shapes: str) -> None:
    class Model:
        gives_masks = False
        labels = Labels(("a",), ((1, 2, 3),), background=None)
        input_size = (32, 64)
        open_batch, open_size = batch, size

    text = module._what_is_open(Model())  # type: ignore[arg-type]
    assert shapes in text
    assert ("otx_input_size" in text) == ("model_api_demo.py" in text) == size
    assert max(map(len, text.splitlines())) <= 128
