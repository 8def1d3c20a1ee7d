"""What is known of the images after they have been looked through."""

from __future__ import annotations

import pytest

from otx_seg.configuration.facts import data_facts
from otx_seg.datasets import ScanReport
from otx_seg.datasets.scan import ImageContent
from otx_seg.labels import Labels, default_colors


def labels(*names: str, background: int | None = None) -> Labels:
    return Labels(names, default_colors(len(names)), background)


def test_facts_of_a_report() -> None:
    contents = (
        ImageContent((90, 10, 0, 0), (10, 10), (9.0, 1.0, 0.0)),
        ImageContent((300, 0, 100, 0), (10, 40), (20.0, 0.0, 8.0)),
        ImageContent((90, 10, 0, 0), (10, 10), (8.0, 3.0, 0.0)),
    )
    facts = data_facts(ScanReport(3, contents, ()), labels("a", "b", "c"))
    assert (facts.images, facts.sides, facts.aspect) == (3, (10, 20, 10), 1.0)
    assert facts.extents == pytest.approx({"a": 0.9, "b": 0.2, "c": 0.4})
    assert facts.finest == ("b", pytest.approx(0.2))


@pytest.mark.parametrize(("stray", "finest"), [(2, "a"), (3, "b")])
def test_a_label_in_two_percent_of_the_images_decides_nothing(stray: int, finest: str) -> None:
    usual, odd = ImageContent((100, 0, 0), (10, 10), (9.0, 0.0)), ImageContent((99, 1, 0), (10, 10), (9.0, 1.0))
    report = ScanReport(2, (odd,) * stray + (usual,) * (100 - stray), ())
    assert data_facts(report, labels("a", "b")).finest[0] == finest


def test_labels_that_never_occur_have_no_extent() -> None:
    facts = data_facts(ScanReport(2, (ImageContent((100, 0, 0), (10, 10), (10.0, 0.0)),), ()), labels("a", "b"))
    assert facts.extents == {"a": 1.0}


def test_the_background_decides_nothing_where_there_is_another_label() -> None:
    seams = ImageContent((10, 90, 0), (10, 10), (0.1, 9.0))
    found = labels("background", "field", background=0)
    assert data_facts(ScanReport(2, (seams,), ()), found).extents == pytest.approx({"field": 0.9})
    assert data_facts(ScanReport(2, (seams,), ()), labels("soil", "field")).finest[0] == "soil"
    nothing_else = ImageContent((100, 0, 0), (10, 10), (10.0, 0.0))
    assert data_facts(ScanReport(2, (nothing_else,), ()), found).extents == {"background": 1.0}
