"""What a type checker sees of the public names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import otx_seg

ROOT = Path(__file__).parents[1]


def python_blocks(document: Path) -> list[str]:
    """The Python code of a Markdown document."""
    return re.findall(r"^```python\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_documented_program_is_typed_strictly(tmp_path: Path) -> None:
    blocks = python_blocks(ROOT / "docs" / "python.md")
    assert {name for name in otx_seg.__all__ if f"otx_seg.{name}" not in "".join(blocks)} == set()
    revealed = "\n".join(f"reveal_type(otx_seg.{name})" for name in otx_seg.__all__)
    for number, block in enumerate((*blocks, f"import otx_seg\n{revealed}\n")):
        (tmp_path / f"block_{number}.py").write_text(block if "import otx_seg" in block else f"import otx_seg\n{block}")
    # PyTorch leaves torch.hub without types.
    strict = ("--strict", "--allow-untyped-calls", "--follow-imports=silent", "--ignore-missing-imports")
    told = subprocess.run(
        [sys.executable, "-m", "mypy", *strict, "--config-file=", f"--cache-dir={tmp_path}/cache", "."],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(otx_seg.__file__).parents[1])},
    ).stdout
    lines = [line for line in told.splitlines() if "Revealed type is" in line]
    assert "error:" not in told, told
    assert len(lines) == len(otx_seg.__all__), told
    for line in lines:
        assert 'is "Any"' not in line, line
    # build_model gives a class of mmseg, which has no types.
    assert [line.split("(")[0] for line in lines if "-> Any" in line] == [
        line.split("(")[0] for line in lines if "num_classes" in line
    ]
