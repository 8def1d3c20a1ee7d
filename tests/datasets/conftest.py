"""Data sets that the tests write: a few small files with known pixels."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

META = {
    "label_map": {"0": "background", "1": "cat", "2": "dog"},
    "segmentation_colors": [[0, 0, 0], [255, 0, 0], [0, 128, 0]],
}


@pytest.fixture
def dataset(tmp_path: Path, save: Callable[..., Path]) -> Callable[..., Path]:
    """Writes images of 8 x 6 pixels with index masks under `folder`: `dataset(["a", "sub/b"], "train")`."""

    def write(names: list[str], folder: str = "", meta: dict | None = META) -> Path:
        root = tmp_path / "data"
        for number, name in enumerate(names):
            save(root / folder / "images" / f"{name}.png", np.full((6, 8, 3), number, np.uint8))
            mask = np.zeros((6, 8), np.uint8)
            mask[:2] = 1 + number % 2
            save(root / folder / "masks" / f"{name}.png", mask)
        if meta is not None:
            (root / folder / "dataset_meta.json").write_text(json.dumps(meta))
        return root

    return write


@pytest.fixture(scope="session")
def camvid() -> Path:
    """The CamVid data set, which is too large for the repository."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data" / "camvid"
    folder = Path(os.environ.get("OTX_SEG_CAMVID", default))
    if not folder.is_dir():
        pytest.skip(f"no CamVid at {folder}; set OTX_SEG_CAMVID to its folder")
    return folder
