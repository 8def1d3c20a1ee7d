"""Libraries find a home for their caches whoever runs the command."""

from __future__ import annotations

import getpass
import os
import pwd
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import pytest

from otx_seg.cli.home import give_home


@pytest.fixture
def unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user that the system does not know, without HOME; gives the folder of temporary files."""

    def nobody(user: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
        monkeypatch.delenv(name)
    return tmp_path


def test_an_unknown_user_gets_a_home_of_its_own(unknown: Path) -> None:
    give_home()
    assert Path.home() == unknown / f"otx-home-{os.getuid()}"
    assert Path.home().stat().st_mode & 0o777 == 0o700
    assert getpass.getuser() == str(os.getuid())


def test_a_home_that_somebody_else_has_laid_out_is_not_taken(unknown: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (unknown / f"otx-home-{os.getuid()}").symlink_to(tmp_path / "theirs")
    give_home()
    assert Path.home().parent == unknown
    assert Path.home().name.startswith("otx-home-")
    assert not Path.home().is_symlink()


def test_whoever_has_a_home_keeps_it(unknown: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    give_home()
    assert Path.home() == tmp_path / "mine"


def test_a_command_works_without_a_home(unknown: Path, otx: Any) -> None:
    assert otx("find").code == 0
