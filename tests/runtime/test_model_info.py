"""The one schema of what files say of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from otx_seg.errors import UsageError
from otx_seg.labels import Labels, labels_to_plain
from otx_seg.runtime.masks import PostProcessing
from otx_seg.runtime.model_info import (
    check_version,
    checked_labels,
    checked_post_processing,
    checked_size,
    plain_post_processing,
)

LABELS = Labels(("ground", "straße", "شیر‌آب"), ((0, 0, 0), (1, 2, 3), (255, 5, 6)), background=0)
PLAIN = labels_to_plain(LABELS)


@pytest.mark.parametrize("labels", [LABELS, Labels(LABELS.names, LABELS.colors, None)])
def test_labels_come_back(labels: Labels) -> None:
    assert checked_labels(labels_to_plain(labels)) == labels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": "abc"}, "names of labels are 'abc', not texts"),
        ({"names": ["a", "b", 3]}, "not texts"),
        ({"names": ["a", "b", "a"]}, "the label 'a' is named twice"),
        ({"names": ["a", " ", "b"]}, "the name of label 1 is empty"),
        ({"names": ["a", "b", "x" * 1001]}, "label 2, 'x+'..., has 1,001 characters; a name has 1000"),
        ({"names": ["a", "b", "\x1b]0;x\x07"]}, r"the name of label 2, '\\x1b]0;x\\x07', has control characters"),
        ({"names": ["a", "b", "c\nd"]}, "control characters"),
        ({"names": ["a", "b", "\ud800"]}, "control characters"),
        ({"names": ["a"]}, "there are 1 labels; a model has from 2 to 255"),
        ({"names": [str(n) for n in range(256)]}, "there are 256 labels"),
        ({"colors": [[0, 0, 0]]}, "3 labels need 3 colors; there are 1"),
        ({"colors": None}, "3 labels need 3 colors; they are None"),
        ({"colors": [[0, 0, 0], [0, 0], [0, 0, 0]]}, r"a color is \[0, 0\], not three numbers"),
        ({"colors": [[0, 0, 256], [0, 0, 1], [0, 0, 2]]}, r"a part of the color \[0, 0, 256\] is 256; it should be"),
        ({"colors": [[0, 0, -1], [0, 0, 1], [0, 0, 2]]}, "is -1; it should be from 0 to 255"),
        ({"colors": [[0, 0, 0.5], [0, 0, 1], [0, 0, 2]]}, "is 0.5, not an integer"),
        ({"background": 3}, "the index of the background is 3; it should be from 0 to 2"),
        ({"background": -1}, "the index of the background is -1"),
        ({"background": True}, "the index of the background is True, not a number"),
        ({"background": "ground"}, "the index of the background is 'ground', not a number"),
    ],
)
def test_labels_that_are_none(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_labels({**PLAIN, **changes})


@pytest.mark.parametrize("key", ["names", "colors", "background"])
def test_a_part_of_the_labels_is_missing(key: str) -> None:
    with pytest.raises(ValueError, match=f"labels have no '{key}'"):
        checked_labels({name: value for name, value in PLAIN.items() if name != key})


@pytest.mark.parametrize("plain", [[64, 96], (64, 96), ("64", "96"), [64.0, 96]])
def test_sizes(plain: Any) -> None:
    assert checked_size(plain) == (64, 96)


@pytest.mark.parametrize("plain", [None, "64x64", [64], [64, 0], [64, -64], [64, 10**6], [64, "a"], [64, 10**400]])
def test_sizes_that_are_none(plain: Any) -> None:
    with pytest.raises(ValueError, match="input_size"):
        checked_size(plain)


@pytest.mark.parametrize(
    ("threshold", "blur"), [(0.0, 1), (1.0, 255), (-1, -1), (float("inf"), 1), ("inf", 1), ("-inf", 3), ("0.5", "25")]
)
def test_post_processing(threshold: Any, blur: Any) -> None:
    found = checked_post_processing(threshold, blur)
    assert found == PostProcessing(float(threshold), int(blur))
    assert checked_post_processing(*plain_post_processing(found)) == found


@pytest.mark.parametrize(
    ("threshold", "blur", "message"),
    [
        (float("nan"), 1, "soft_threshold is nan; it should be from -1 to 1"),
        ("nan", 1, "soft_threshold"),
        (1.5, 1, "soft_threshold is 1.5"),
        ("much", 1, "soft_threshold is 'much', not a number"),
        (None, 1, "soft_threshold is None"),
        (0.0, 0, "blur_strength is 0; it should be -1, or from 1 to 255"),
        (0.0, 1e9, "blur_strength is 1000000000.0; it should be from -1 to 255"),
        (0.0, 1.5, "blur_strength is 1.5, not an integer"),
        (0.0, "²", "blur_strength is '²', not a number"),
    ],
)
def test_post_processing_that_is_none(threshold: Any, blur: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_post_processing(threshold, blur)


def test_versions() -> None:
    path = Path("a.pth")
    check_version(1, 2, path)
    check_version("2", 2, path)
    with pytest.raises(UsageError, match=r"^a\.pth: was written by a newer version .* 3, .* 2\); install that"):
        check_version(3, 2, path)
    for odd in (0, -1, None, True, 1.5, "", "abc", "²", [], 10**30, 10**5000):
        with pytest.raises(ValueError, match="version is"):
            check_version(odd, 2, path)
