"""What a search may be asked to do, and what is recorded of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_network import small_template

from otx_seg.errors import UsageError
from otx_seg.training.setup.search_settings import (
    DEFAULT_RATIO,
    Settings,
    check_settings,
    read_settings,
    write_settings,
)
from otx_seg.workspace.run_folder import RunFolder


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ((None, None), Settings(DEFAULT_RATIO, None, asked=False)),
        ((1.5, 2), Settings(1.5, 2)),
        ((DEFAULT_RATIO, None), Settings(DEFAULT_RATIO, None)),
    ],
)
def test_what_is_asked_for_counts(given: tuple[float | None, int | None], settings: Settings) -> None:
    assert check_settings(*given) == settings


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1.0, None), r"--hpo-time-ratio 1: .*above 1"),
        ((float("inf"), None), r"--hpo-time-ratio inf"),
        ((float("nan"), None), r"--hpo-time-ratio nan"),
        ((2.0, 0), r"--hpo-parallel 0: at least one"),
    ],
)
def test_numbers_that_make_no_sense(given: tuple[float, int | None], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_settings(*given)


def test_one_process_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=r"start it without torchrun"):
        check_settings(None, None)


def test_what_is_recorded_is_read(tmp_path: Path) -> None:
    run, template = RunFolder(tmp_path), small_template()
    run.search.mkdir()
    write_settings(run, Settings(1.5, 2), template)
    assert run.search_settings.is_file()
    assert read_settings(run) == (Settings(1.5, 2), template)
