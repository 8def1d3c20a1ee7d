"""The documentation says of every template which ways of learning, and what else, work with it."""

from __future__ import annotations

import mode_table
import pytest
from mode_table import BEGIN, COLUMNS, END, MODES, PAGE, Row, rows_of, try_template, with_table

from otx_seg.errors import UsageError
from otx_seg.template import find_templates

NAMES = [summary.name for summary in find_templates()]
QUICK = ("semi-supervised", "more labels", "explain")


def test_the_table_is_in_the_order_of_the_templates() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = rows_of(page)
    assert list(rows) == [name for name in NAMES if name in rows], "run python docs/mode_table.py"
    assert page == with_table(page, rows)


@pytest.mark.slow
def test_every_template_has_a_row() -> None:
    assert list(rows_of(PAGE.read_text(encoding="utf-8"))) == NAMES, "run python docs/mode_table.py"


@pytest.mark.parametrize("name", list(rows_of(PAGE.read_text(encoding="utf-8")))[:2])
def test_the_rows_of_small_templates_are_true(name: str) -> None:
    written = rows_of(PAGE.read_text(encoding="utf-8"))[name]
    found = try_template(name, QUICK)
    assert found.side == written.side
    assert found.reasons == {mode: why for mode, why in written.reasons.items() if mode in QUICK}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_rows_are_true(name: str) -> None:
    assert try_template(name) == rows_of(PAGE.read_text(encoding="utf-8"))[name]


def test_what_does_not_work_is_listed_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(trial: mode_table.Trial) -> None:
        raise UsageError(f"{trial.folder}/x.pth: no | here; do something else")

    def crash(_: mode_table.Trial) -> None:
        raise KeyError("k")

    monkeypatch.setitem(MODES, "explain", fail)
    monkeypatch.setitem(MODES, "QAT", crash)
    row = try_template(NAMES[0], ("explain", "QAT"))
    assert row.reasons == {"explain": "/x.pth: no / here", "QAT": "KeyError: 'k'"}
    rows = {"A": row, "B": Row(64, dict.fromkeys(COLUMNS, "too small")), "C": Row(128)}
    page = with_table(f"before\n{BEGIN}{END}\nafter", rows)
    assert "| A | 64 | yes | yes | yes | yes | yes | yes | no | no | yes |" in page
    assert "- A, explain: /x.pth: no / here\n- A, QAT: KeyError: 'k'\n- B, supervised and semi-supervised and" in page
    assert rows_of(page) == rows
    assert with_table(page, rows) == page


def test_a_network_that_does_not_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("it is too small")

    monkeypatch.setattr(mode_table.Trial, "learn", fail)
    assert try_template(NAMES[0]) == Row(64, dict.fromkeys(COLUMNS, "ValueError: it is too small"))


def test_a_page_without_marks() -> None:
    with pytest.raises(ValueError, match="marks of the table of ways of learning are missing"):
        rows_of("# Networks\n")
