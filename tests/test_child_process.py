"""A child answers, fails and dies in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.child_process import ChildError, ChildProcess
from otx_seg.errors import DataError


def test_a_child_answers_fails_and_dies_in_words(tmp_path: Path) -> None:
    code = "import os\nfrom otx_seg.errors import DataError\n\n\nclass Session:\n    def add(self, a, b):\n"
    code += "        print('not among the answers')\n        return a + b + int(os.environ['C'])\n\n"
    code += "    def refuse(self):\n        raise DataError('no images', 'otx check')\n"
    (tmp_path / "of_test.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch, (tmp_path / "log").open("ab") as log:
        patch.syspath_prepend(tmp_path)
        with ChildProcess("of_test", "Session", log, {"C": "3"}, "ask for less") as child:
            assert child.ask("add", a=1, b=2) == 6
            with pytest.raises(DataError, match=r"^no images\. Continue with: otx check$"):
                child.ask("refuse")
            with pytest.raises(ChildError, match=r"^TypeError: .*; details: .*log$"):
                child.ask("add", a=1, b="2")
            child.process.kill()
            told = r"^the process that ran it was ended by SIGKILL, .* lack of memory: ask for less; details: .*log$"
            with pytest.raises(ChildError, match=told):
                child.ask("add", a=1, b=2)
    assert "not among the answers" in (tmp_path / "log").read_text()
    assert child.process.returncode is not None
