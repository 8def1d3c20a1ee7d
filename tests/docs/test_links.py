"""Links of the documentation lead somewhere, and every page can be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from markdown_pages import PAGES, ROOT, anchors_of, links_of

DOCS = ROOT / "docs"


def test_links_and_headings_are_found() -> None:
    text = "# A `b` (c)\n[one](a.md#x) ![two](b.png)\n```\n[no](c.md)\n# no\n```\n`[no](d.md)`\n## [Link](e.md) D-E\n"
    assert links_of(text) == ["a.md#x", "b.png", "e.md"]
    assert anchors_of(text) == {"a-b-c", "link-d-e"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in ("https", "http"), link
            continue
        target = page if not parts.path else (page.parent / parts.path).resolve()
        if target.is_dir():
            target /= "index.md"
        assert target.exists(), f"{link}: there is no such file"
        if DOCS in page.parents:
            assert target.is_relative_to(DOCS), f"{link}: the site has no such page"
        if parts.fragment:
            assert parts.fragment in anchors_of(target.read_text(encoding="utf-8")), f"{link}: no such heading"


def test_every_page_is_in_the_menu_once() -> None:
    configuration = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = sorted(_files(configuration["nav"]))
    assert listed == sorted(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md"))


def test_every_picture_is_shown() -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links_of(page.read_text(encoding="utf-8"))}
    pictures = [file for kind in ("png", "jpg", "svg") for file in DOCS.rglob(f"*.{kind}")]
    assert pictures
    assert [file for file in pictures if file not in shown] == []


def _files(menu: Any) -> list[str]:
    if isinstance(menu, str):
        return [menu]
    entries = menu.values() if isinstance(menu, dict) else menu
    return [file for entry in entries for file in _files(entry)]
