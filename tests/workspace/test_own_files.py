"""Files that the program wrote and something happened to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.report.trials import Trial, Trials, read_trials, write_trials
from otx_seg.training.recorded_data import RecordedData, read_recorded
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import RunFolder


@dataclass(frozen=True)
class Kind:
    number: int
    paths: tuple[Path, ...]
    share: float = 0.5


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('\ufeff{"number": 3, "paths": ["a", "b"], "share": 1, "later": "version"}')
    assert read_own(path, Kind, "advice") == Kind(3, (Path("a"), Path("b")), 1.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not valid JSON .*; advice"),
        ("[]", "is damaged .*; advice"),
        ('{"number": "3", "paths": []}', "number is '3': .*; advice"),
        ('{"number": 3.5, "paths": []}', "number is 3.5: .*; advice"),
        ('{"number": true, "paths": []}', "number is True: .*; advice"),
        ('{"number": 3, "paths": [null]}', r"paths\.0 is None: .*; advice"),
        ('{"number": 3, "paths": [], "share": NaN}', "NaN is not JSON"),
        ('{"number": 3}', r"paths is .*: Field required\); advice"),
        (json.dumps({"number": "x" * 100_000, "paths": []}), "number is 'xxx.*'?\\.\\.\\.: .*; advice"),
    ],
)
def test_damages(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"file\.json: .*{told}") as raised:
        read_own(path, Kind, "advice")
    assert len(str(raised.value)) < 1000


def recorded() -> RecordedData:
    some = {"split": "a fifth", "train": ("a",), "val": ("b",), "unlabelled": (), "val_images": (Path("/b.png"),)}
    return RecordedData(7, **some, data=DataSpec(Path("/data")))  # type: ignore[arg-type]


def test_recorded_data(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    recorded().write(run)
    assert read_recorded(run) == recorded()
    content = json.loads(run.data.read_text())
    odd: dict[str, Any] = {
        "seed": -1,
        "train": "abc",
        "val_images": [3],
        "known_labels": {"names": ["a"]},
        "split": None,
        "train_root": None,
    }
    for key, value in odd.items():
        run.data.write_text(json.dumps({**content, key: value}))
        with pytest.raises(UsageError, match=rf"data\.json: is damaged \({key}.*start a new run"):
            read_recorded(run)


def test_trials(tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    one = Trial(0, {"a.b": 1.0}, (0.5,), "chosen", "", 3, 30, 1.5, 0)
    found = Trials(1.1, (0.25,), 0, (one,))
    write_trials(path, found)
    assert read_trials(path) == found
    for changed in ({"chosen": 5}, {"rungs": ()}, {"trials": ()}):
        path.write_text(json.dumps({**asdict(found), **changed}))
        with pytest.raises(UsageError, match=r"trials\.json: is damaged .*start a new run"):
            read_trials(path)
