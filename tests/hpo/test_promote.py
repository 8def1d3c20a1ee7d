"""What a search found, among what was decided for the run."""

from __future__ import annotations

from otx_seg.configuration.facts import Decision
from otx_seg.hpo.promote import with_found


def test_what_a_search_found_replaces_what_was_decided() -> None:
    before = (Decision("template", "small", "as given", given=True), Decision("g.size", 8, "as usual"))
    first = {"g.size": 8, "g.rate": 0.2}
    assert with_found(before, {"g.size": 8, "g.rate": 0.1}, first) == before
    after = with_found(before, {"g.size": 5, "g.rate": 0.1}, first)
    assert after == (before[0], Decision("g.size", 5, "found by the search, which began with 8"))
    # The trial with these values failed later.
    assert with_found(after, {"g.size": 6, "g.rate": 0.1}, first)[1].reason.endswith("began with 8")
    assert with_found(after, first, first)[1] == Decision("g.size", 8, "what the search began with")
