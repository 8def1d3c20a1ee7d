"""Nothing is written into a data folder, by whatever way it is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import UsageError
from otx_seg.workspace.data_folders import refuse_among_data


@pytest.mark.parametrize("place", ["data", "data/new", "data/train/images/new/file.txt", "link/new", "disk/pictures/b"])
def test_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "disk" / "pictures").mkdir(parents=True)
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "images").symlink_to(tmp_path / "disk" / "pictures")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(UsageError, match=r"lies in .*data, a data folder.*, where nothing is written; go"):
        refuse_among_data(tmp_path / place, [tmp_path / "nowhere", tmp_path / "data"], "go elsewhere")
    with pytest.raises(UsageError, match=r"lies in .*data, a data folder \(by its link .*data/train/images\), where"):
        refuse_among_data(tmp_path / "disk" / "pictures", [tmp_path / "data"], "go elsewhere")
    for free in ("disk/new", "new", "data2", "."):
        refuse_among_data(tmp_path / free, [tmp_path / "data"], "go elsewhere")
