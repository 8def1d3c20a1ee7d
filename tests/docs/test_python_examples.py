"""The short programs of `docs/python.md` run as they stand; `tests/test_typing.py` checks the long one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import otx_seg

ROOT = Path(__file__).parents[2]


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The Python code of the page, with an empty folder as the current one."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_a_finished_model(blocks: list[str], tiny_ir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    otx_seg.deploy(tiny_ir, output="package")
    (program,) = (block for block in blocks if "Model.load" in block)
    exec(program, {})
    label, confidence = capsys.readouterr().out.rsplit(maxsplit=1)
    assert label in ("background", "red brick", "pole", "sky")
    assert 0.25 <= float(confidence) <= 1


def test_a_network_by_torch_hub(blocks: list[str], tmp_path: Path) -> None:
    (program,) = (block for block in blocks if "torch.hub.load" in block)
    (tmp_path / "otx-seg").symlink_to(ROOT)
    names: dict[str, object] = {}
    exec(program, names)
    assert getattr(names["logits"], "shape", None) == (1, 3, 256, 256)
