"""`otx explain` as a user calls it, and what he can get wrong."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import otx_seg
from otx_seg.cli.explain import command
from otx_seg.datasets import Subset
from otx_seg.inference.explain_settings import FOR_ALL_LABELS, PER_LABEL


@pytest.fixture
def images(tiny_data: Subset) -> Path:
    """A folder of four images of 60 x 100 pixels."""
    return Path(tiny_data.samples[0].image).parent


def test_checkpoint_exported_and_handed_over_models(
    otx: Any, images: Path, tiny_weights: Path, open_ir: Path, open_onnx: Path, tmp_path: Path
) -> None:
    assert otx("deploy", "--load-weights", open_ir, "-o", tmp_path / "package").code == 0
    maps = []
    for number, model in enumerate((tiny_weights, open_ir, open_onnx, tmp_path / "package" / "openvino.zip")):
        output = tmp_path / f"out{number}"
        outcome = otx("explain", "--explain-data-roots", images, "--load-weights", model, "-o", output)
        assert outcome.code == 0, outcome.err
        assert "maps of 4 images written, the first: " in outcome.out
        assert str(output / "maps" / "0_background" / "0.npy") in outcome.out
        maps.append(np.stack([np.load(path) for path in sorted((output / "maps" / "3_sky").iterdir())]))
        assert cv2.imread(str(output / "overlays" / "3_sky" / "2.jpg")).shape == (60, 100, 3)
    assert maps[0].shape == (4, 8, 8)
    for other in maps[1:]:
        assert np.abs(other - maps[0]).max() < 1e-3 * maps[0].max()


def test_all_options(otx: Any, images: Path, tiny_weights: Path, tmp_path: Path) -> None:
    chosen = ["--explain-data-roots", images / "0.png", "--load-weights", tiny_weights, "--output", tmp_path / "out"]
    options = ["--explain-algorithm", "Probability", "--explain-all-classes", "--process-saliency-maps"]
    outcome = otx("explain", *chosen, *options, "--overlay-weight", 0.3)
    assert outcome.code == 0, outcome.err
    assert "4 maps of 1 image written" in outcome.out
    assert len(list((tmp_path / "out" / "maps").rglob("*.png"))) == 4
    again = otx("explain", *chosen, *options)
    assert again.code == 2
    assert "--overwrite" in again.message
    assert otx("explain", *chosen, *options, "--overwrite").code == 0


def test_features_are_dumped(otx: Any, images: Path, tiny_weights: Path, tmp_path: Path) -> None:
    exported = otx("export", "--load-weights", tiny_weights, "--dump-features", "-o", tmp_path / "exported")
    assert exported.code == 0, exported.err
    ir = tmp_path / "exported" / "openvino.xml"
    assert f"Next: otx explain --explain-data-roots IMAGES --load-weights {ir} --output heatmaps" in exported.out
    assert f"exported as {ir}; they agree on" in (ir.parent / "logs" / "otx.log").read_text()
    found = otx_seg.explain(images, load_weights=tmp_path / "exported" / "openvino.xml", explain_algorithm="EigenCAM")
    assert len(found.written) == 4
    assert found.written[0].map.match("otx-workspace-SEGMENTATION/outputs/*_explain/maps/0.npy")


def test_mistakes(otx: Any, images: Path, tiny_weights: Path, tiny_ir: Path, tmp_path: Path) -> None:
    def refused(code: int, *arguments: object, model: Path = tiny_weights, source: Path = images) -> str:
        output = tmp_path / "refused"
        outcome = otx("explain", "--explain-data-roots", source, "--load-weights", model, "-o", output, *arguments)
        assert outcome.code == code, outcome.err
        assert outcome.message.count("Error:") == 1
        assert not output.exists() or not any(output.iterdir())
        return str(outcome.message)

    assert "--explain-data-roots" in otx("explain", "--load-weights", tiny_weights).message
    assert "'gradcam' is not one of" in refused(2, "--explain-algorithm", "gradcam")
    assert "0 to 1: 1.2" in refused(2, "--overlay-weight", "1.2")
    assert "one map for all labels" in refused(2, "--explain-algorithm", "eigencam", "--explain-all-classes")
    assert "otx export" not in refused(2, model=tmp_path / "none.xml")
    assert "--dump-features" in refused(2, model=tiny_ir)
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(3, source=tmp_path / "empty")
    assert "nowhere" in refused(3, source=tmp_path / "nowhere")


def test_the_options_are_those_of_the_function() -> None:
    options = {parameter.name: parameter for parameter in command.params}
    assert list(options["explain_algorithm"].type.choices) == [*PER_LABEL, *FOR_ALL_LABELS]
    arguments = dict(inspect.signature(otx_seg.explain).parameters)
    del arguments["progress"]
    assert options.keys() == arguments.keys()
    for name in ("explain_algorithm", "overlay_weight"):
        assert options[name].default == arguments[name].default, name
