"""Which folder a training takes, and what is written there before its first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_network import small_template

from otx_seg.configuration.facts import Decision
from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.training.setup.folder import clear, copy_run_files, decisions_of, open_training_run, write_decisions
from otx_seg.training.setup.plan import Plan
from otx_seg.training.setup.search_settings import Settings
from otx_seg.workspace.run_folder import Destination, RunFolder

PLAN = Plan(small_template(), "asked for", DataSpec(), 42, None, None, None, None)
RUN = RunFolder(Path("run"))


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("before")


def test_a_new_training_gets_a_new_folder(here: Path) -> None:
    assert open_training_run(PLAN, Destination(outputs=Path("runs"))).path.parent == Path("runs")
    assert open_training_run(PLAN, Destination("run")).path == RUN.path


@pytest.mark.parametrize(
    ("there", "message"),
    [
        # As long as nothing was trained, nothing can be lost.
        ((RUN.log, RUN.template), None),
        ((RUN.template, RUN.weights), r"already holds a result \(template.yaml\)"),
        ((RUN.template, RUN.checkpoint), r"already holds a result.*resume it with: otx train --resume-from run"),
        ((RUN.template, RUN.search_settings), r"already holds a result.*--resume-from run"),
    ],
)
def test_a_folder_that_holds_a_training(here: Path, there: tuple[Path, ...], message: str | None) -> None:
    write(*there)
    if message is None:
        assert open_training_run(PLAN, Destination("run")).path == RUN.path
    else:
        with pytest.raises(UsageError, match=message):
            open_training_run(PLAN, Destination("run"))
    assert open_training_run(PLAN, Destination("run", overwrite=True)).path == RUN.path


def test_a_training_goes_on_in_its_folder_or_in_another(here: Path) -> None:
    write(RUN.template, RUN.checkpoint, RUN.weights)
    resumed = replace(PLAN, resumed_run=RUN)
    for output in (None, "run", Path("run").resolve()):
        assert open_training_run(resumed, Destination(output)).path == RUN.path
    elsewhere = open_training_run(resumed, Destination("copy"))
    copy_run_files(resumed, elsewhere)
    assert elsewhere.template.read_text() == elsewhere.weights.read_text() == "before"
    with pytest.raises(UsageError, match=r"a search stays in its folder, run: leave --output out"):
        open_training_run(replace(resumed, search=Settings(1.5, None)), Destination("copy"))


def test_what_another_training_left_goes(here: Path) -> None:
    write(RUN.template, RUN.checkpoint, RUN.weights, RUN.metrics, RUN.search_settings, RUN.log)
    clear(RUN)
    assert [path.name for path in RUN.path.rglob("*") if path.is_file()] == [RUN.log.name]


def test_decisions_are_read_as_they_were_written(here: Path) -> None:
    decisions = (Decision("template", "small", "as given", given=True), Decision("g.size", 8, "as usual"))
    RUN.path.mkdir()
    assert decisions_of(RUN) == ()
    write_decisions(RUN, decisions)
    assert decisions_of(RUN) == decisions
    RUN.decisions.write_text("[{}]")
    assert decisions_of(RUN) == ()
