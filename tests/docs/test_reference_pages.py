"""The reference in the documentation is what the command line and the schema say."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import reference_pages
from reference_pages import FOLDER
from reference_pages import reference_pages as written

from otx_seg.cli.main import VERBS, cli
from otx_seg.template.hyper_parameters import HyperParameters

PAGES = written()


def test_the_pages_are_what_the_program_says() -> None:
    found = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    stale = sorted(name for name in found.keys() | PAGES.keys() if found.get(name) != PAGES.get(name))
    assert not stale, "run python docs/reference_pages.py"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_all_of_its_options(verb: str) -> None:
    command = cli.get_command(click.Context(cli), verb)
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert max(option.opts, key=len) in PAGES[f"{verb}.md"]


@pytest.mark.parametrize("group", HyperParameters.model_fields)
def test_a_group_has_all_of_its_parameters(group: str) -> None:
    page = PAGES[f"params-{group}.md"]
    for name in type(getattr(HyperParameters(), group)).model_fields:
        assert f"\n## {name}\n" in page
    assert page.count("\nDefault: ") == page.count("\n## ")


def test_what_the_pages_say_of_values() -> None:
    learning, template = PAGES["params-learning_parameters.md"], PAGES["template.md"]
    assert "## batch_size\n\nint; 1 to 512\n\n" in learning
    assert "Default: `auto`, [decided](../configuration.md)" in learning
    assert "\n- `cosine`: half a period of a cosine\n" in learning
    assert "## optimizer\n\nmapping\n\n" in template
    assert "## gradient_clip_norm\n\nfloat; above 0\n" in template
    assert "Default: null." in template
    assert "Default:\n\n- `{'type': 'RandomView'" in template


def test_a_page_of_what_is_gone_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference_pages, "FOLDER", tmp_path / "reference")
    reference_pages.write_pages()
    (tmp_path / "reference" / "gone.md").write_text("# gone")
    reference_pages.write_pages()
    assert {file.name for file in (tmp_path / "reference").iterdir()} == set(PAGES)
