"""Running the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from otx_seg.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The error message with its line breaks taken out; a traceback never reaches the screen."""
        assert "Traceback" not in self.err + self.out
        return " ".join(self.err.split())


Otx = Callable[..., Outcome]


@pytest.fixture
def otx(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Otx:
    """Call ``otx("verb", argument, ...)`` in an empty folder; gives exit code and output."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # Where absl is installed, it ends with closing the stream that it found, which is pytest's own.
    monkeypatch.setattr("logging.shutdown", lambda: None)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call
