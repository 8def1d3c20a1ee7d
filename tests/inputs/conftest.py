"""A workspace whose ``data.yaml`` says what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from otx_seg.inputs.resolver import Resolver
from otx_seg.workspace.workspace import Workspace

Says = Callable[[str], Resolver]


@pytest.fixture
def says(tmp_path: Path) -> Says:
    """A workspace whose data.yaml says something; beside it folders and files of any content."""
    workspace = Workspace(tmp_path / "w")
    workspace.path.mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.json").touch()

    def write(text: str) -> Resolver:
        workspace.data.write_text(f"data: {{{text}}}")
        return Resolver(workspace)

    return write
