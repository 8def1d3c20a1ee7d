"""Run folders: chosen, never overwritten silently, found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.errors import OtxError, UsageError
from otx_seg.workspace.run_folder import Destination, latest_weights, open_run, point_latest


def test_a_new_folder_in_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = open_run(Destination(), "train")
    second = open_run(Destination(), "train")
    assert first.path != second.path
    assert first.path.parent == Path("otx-workspace-SEGMENTATION/outputs")
    assert "_train" in first.path.name


def test_a_name_that_another_process_takes_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists
    taken: list[Path] = []

    def just_before(path: Path, **how: bool) -> bool:
        found = exists(path, **how)
        if not found and path.name.endswith("_train") and not taken:
            taken.append(path)
            path.mkdir(parents=True)
        return found

    monkeypatch.setattr(Path, "exists", just_before)
    opened = open_run(Destination(outputs=tmp_path), "train")
    assert taken
    assert opened.path not in taken


def test_a_result_is_not_overwritten_silently(tmp_path: Path) -> None:
    (tmp_path / "performance.json").touch()
    with pytest.raises(UsageError, match=r"already holds a result \(performance.json\).*--overwrite"):
        open_run(Destination(tmp_path), "eval", ("performance.json",))
    open_run(Destination(tmp_path, overwrite=True), "eval", ("performance.json",))
    open_run(Destination(tmp_path), "predict", ("overlays",))


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"names a file"):
        open_run(Destination(tmp_path / "file"), "eval")
    with pytest.raises(OtxError, match=r"cannot write there"):
        open_run(Destination(Path("/proc/otx")), "eval")


@pytest.mark.parametrize("links_allowed", [True, False])
def test_the_latest_model_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links_allowed: bool) -> None:
    monkeypatch.chdir(tmp_path)
    assert latest_weights() is None
    if not links_allowed:

        def refuse(*_: object, **__: object) -> None:
            raise OSError("links are not allowed here")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    for content in (b"first", b"second"):
        run = open_run(Destination(), "train")
        run.weights.parent.mkdir()
        run.weights.write_bytes(content)
        point_latest(run)
    found = latest_weights()
    assert found is not None
    assert found.read_bytes() == b"second"


def test_a_run_elsewhere_leaves_no_pointer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    point_latest(open_run(Destination(tmp_path / "run"), "train"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_nothing_is_written_into_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for output in (data, data / "out", tmp_path / "else" / ".." / "data"):
        with pytest.raises(UsageError, match=r"lies in .*data, a data folder, where nothing is written; give an"):
            open_run(Destination(output, overwrite=True), "eval", data_roots=(data,))
    monkeypatch.chdir(data)
    with pytest.raises(UsageError, match="--output elsewhere"):
        open_run(Destination(), "eval", data_roots=(Path(),))
    assert not list(data.iterdir())
    (data / "image.png").touch()
    open_run(Destination(tmp_path), "eval", data_roots=(data,))  # beside the data
    open_run(Destination(data), "predict", data_roots=(data / "image.png",))  # beside an image
