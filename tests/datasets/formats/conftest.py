"""Every layout, written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from data_layouts import WRITERS


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`written("coco")`: the folder of the data set in a layout of `WRITERS`."""
    roots: dict[str, Path] = {}

    def folder(layout: str) -> Path:
        if layout not in roots:
            roots[layout] = tmp_path_factory.mktemp("data")
            WRITERS[layout][1](roots[layout])
        return roots[layout]

    return folder
