"""What a user may name as a model, and commands that are printed to be copied."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.model_file import check_model_file
from otx_seg.workspace.weights import read_weights


def test_a_folder_is_told_with_the_model_in_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder, and no model is in it; give a file that ends in \.pth, \.xml"):
        check_model_file(tmp_path, (".pth", ".xml"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights.pth").touch()
    (tmp_path / "other.onnx").touch()
    for folder in (tmp_path, tmp_path / "models"):
        with pytest.raises(UsageError, match=r"is a folder; give the model in it: .*models/weights\.pth$"):
            check_model_file(folder, (".pth", ".xml"))
    with pytest.raises(UsageError, match=r"is a folder; give a model in it, such as .*models/weights\.pth$"):
        check_model_file(tmp_path, (".pth", ".onnx"))
    with pytest.raises(UsageError, match=r"is a folder; give the model in it: .*models/weights\.pth$"):
        read_weights(tmp_path / "models")


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    (tmp_path / "MODEL.XML").touch()
    check_model_file(tmp_path / "model.onnx", (".onnx",))
    check_model_file(tmp_path / "MODEL.XML", (".xml",))
    with pytest.raises(UsageError, match=r"model\.onnx: give another$"):
        check_model_file(tmp_path / "model.onnx", (".xml",), {".onnx": "give another"})
    with pytest.raises(UsageError, match=r"a\.txt: weights end in \.pth, \.xml, not in '\.txt'"):
        check_model_file(tmp_path / "a.txt", (".pth", ".xml"))
    with pytest.raises(UsageError, match=r"nothing: weights end in \.pth, not in nothing"):
        check_model_file(tmp_path / "nothing", (".pth",))
    with pytest.raises(UsageError, match=r"none\.xml: there is no such file"):
        check_model_file(tmp_path / "none.xml", (".xml",))
    with pytest.raises(UsageError, match=r"MODEL\.XML: is part of an exported model; give the \.pth"):
        read_weights(tmp_path / "MODEL.XML")


def test_a_command_can_be_copied() -> None:
    path = Path("my models/it's $HOME.xml")
    command = otx_command("deploy", "--load-weights", path)
    assert shlex.split(command) == ["otx", "deploy", "--load-weights", str(path)]
    assert otx_command("demo", "--input", "PATH", Path("a/b.xml")) == "otx demo --input PATH a/b.xml"
