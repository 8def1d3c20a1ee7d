"""Sentences with commands in a page."""

from __future__ import annotations

import pytest

from otx_seg.report.page import prose


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("train <it> & go", "train &lt;it&gt; &amp; go"),
        (
            "use `otx train --folds 3`.",
            'use <code><span class="word">otx</span> <span class="word">train</span> <span class="word">--folds</span> '
            '<span class="word">3</span></code>.',
        ),
        ("give it to --load-weights", 'give it to <code><span class="word">--load-weights</span></code>'),
        ("`<i>`", '<code><span class="word">&lt;i&gt;</span></code>'),
        ("a--b and a `lone backtick", "a--b and a `lone backtick"),
    ],
)
def test_commands_and_options_are_code(text: str, html: str) -> None:
    assert prose(text) == html
