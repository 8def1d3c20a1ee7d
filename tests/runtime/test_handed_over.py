"""`config.json` beside a model: written, read, changed by the receiver, damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from otx_seg.errors import UsageError
from otx_seg.labels import Labels
from otx_seg.runtime.handed_over import config_of, open_handed_over
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.model_info import ModelInfo

INFO = ModelInfo(
    Labels(("ground", "straße", "c", "d"), ((0, 0, 0), (1, 2, 3), (4, 5, 6), (7, 8, 9)), background=0),
    template=None,
    post_processing=PostProcessing(soft_threshold=0.25, blur_strength=3),
)

CONFIG = config_of(INFO, b"", b"")


@pytest.fixture
def folder(tiny_ir: Path, tmp_path: Path) -> Path:
    """A model with the labels of `INFO` in its `config.json`, and others in itself."""
    shutil.copy(tiny_ir, tmp_path / "model.xml")
    shutil.copy(tiny_ir.with_suffix(".bin"), tmp_path / "model.bin")
    xml, binary = ((tmp_path / name).read_bytes() for name in ("model.xml", "model.bin"))
    (tmp_path / "config.json").write_text(json.dumps(config_of(INFO, xml, binary)))
    return tmp_path


def test_the_format_of_the_original() -> None:
    config = config_of(INFO, b"", b"")
    assert list(config) == ["type_of_model", "converter_type", "model_parameters", "version", "sha256"]
    assert config["converter_type"] == "SEGMENTATION"
    assert set(config["model_parameters"]) == {"soft_threshold", "blur_strength", "labels"}


@pytest.mark.parametrize("name", ["", "model.xml"])
def test_what_the_config_says_is_used(folder: Path, name: str) -> None:
    model = open_handed_over(folder / name)
    assert model.labels == INFO.labels
    assert model.post_processing == INFO.post_processing
    assert model.template is not None
    assert model.template["name"] == "Lite-HRNet-s-mod2"  # this is the model's own


def test_without_config_the_model_tells(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert open_handed_over(folder).labels.names == ("background", "red brick", "pole", "sky")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", r"it holds \[\], not a mapping"),
        ("{}", "converter_type"),
        (json.dumps({**CONFIG, "converter_type": "DETECTION"}), "a model for 'DETECTION'"),
        (json.dumps(CONFIG).replace(', "d"]', "]"), "3 labels need 3 colors; there are 4"),
        (json.dumps(CONFIG).replace("0.25", '"much"'), "much"),
        (json.dumps(CONFIG).replace("[7, 8, 9]", "7"), "a color is 7, not three numbers"),
    ],
)
def test_a_damaged_config(folder: Path, text: str, reason: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(UsageError, match=rf"config\.json: .*{reason}"):
        open_handed_over(folder)


def test_changed_values_are_used_and_told(folder: Path, messages: Any) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(json.dumps(json.loads(text), indent=8))  # laid out otherwise
    open_handed_over(folder)
    assert "labels or thresholds" not in messages.text
    (folder / "config.json").write_text(text.replace('"c"', '"e"'))
    assert open_handed_over(folder).labels.names[2] == "e"
    assert "config.json: labels or thresholds in it were changed after it was written; they are used" in messages.text


@pytest.mark.parametrize("digests", [[], "abc", {"model.xml": "abc"}, {"model.bin": None}])
def test_other_digests(folder: Path, digests: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sha256": digests}))
    with pytest.raises(UsageError, match=r"the sha256 in it are not those of model\.xml and model\.bin"):
        open_handed_over(folder)


def test_labels_must_fit_the_network(folder: Path) -> None:
    config = (folder / "config.json").read_text().replace(', "d"]', "]").replace(", [7, 8, 9]", "")
    (folder / "config.json").write_text(config)
    with pytest.raises(UsageError, match="gives probabilities of 4 labels, but 3 are named: ground, straße, c"):
        open_handed_over(folder)


def test_missing_files_and_devices(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"finds no such device here; it finds .*CPU"):
        open_handed_over(folder, "QUANTUM")
    (folder / "model.bin").unlink()
    with pytest.raises(UsageError, match=r"model\.bin: missing"):
        open_handed_over(folder)
    with pytest.raises(UsageError, match=r"nowhere/model\.xml|nowhere: there is no such model"):
        open_handed_over(folder / "nowhere")
