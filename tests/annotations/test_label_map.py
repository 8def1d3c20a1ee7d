"""Labels in JSON and YAML, as tools write them."""

import pytest

from otx_seg.annotations.label_map import labels_in_values
from otx_seg.annotations.label_table import ListedLabel

RED = (255, 0, 0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (["cat", "dog"], [ListedLabel("cat"), ListedLabel("dog")]),
        ({"0": "cat", "2": "dog"}, [ListedLabel("cat", None, 0), ListedLabel("dog", None, 2)]),
        ({0: "cat", 2: "dog"}, [ListedLabel("cat", None, 0), ListedLabel("dog", None, 2)]),
        ({"cat": 0, "dog": 2}, [ListedLabel("cat", None, 0), ListedLabel("dog", None, 2)]),
        ({"cat": [255, 0, 0], "dog": "#00ff00"}, [ListedLabel("cat", RED), ListedLabel("dog", (0, 255, 0))]),
        ({"#ff0000": "cat"}, [ListedLabel("cat", RED)]),
        ([{"name": "cat", "color": "#ff0000", "id": 4}], [ListedLabel("cat", RED, 4)]),
        ({"classes": [{"title": "cat", "color": "#ff0000", "shape": "bitmap"}]}, [ListedLabel("cat", RED)]),
        ({"1": {"name": "cat", "color": [255, 0, 0]}}, [ListedLabel("cat", RED, 1)]),
        ({"cat": {"color": [255, 0, 0, 255]}}, [ListedLabel("cat", RED)]),
        # FiftyOne
        ({"name": "mine", "default_mask_targets": {"1": "cat"}, "info": {}}, [ListedLabel("cat", None, 1)]),
        ({"mask_targets": {"ground_truth": {"1": "cat"}}, "version": "1.0"}, [ListedLabel("cat", None, 1)]),
        ({"name": "mine", "info": {"mask_targets": {"1": "cat"}, "by": 7}}, [ListedLabel("cat", None, 1)]),
        ({"classes": ["cat", "dog"], "labels": {"a": 0}}, [ListedLabel("cat"), ListedLabel("dog")]),
        ({"path": "x", "names": {0: "cat"}}, [ListedLabel("cat", None, 0)]),
        # other things
        ({"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}, []),
        ({"version": 1, "author": "me"}, []),
        ([{"id": 1}], []),
        ([1, 2], []),
        (3, []),
        (None, []),
    ],
)
def test_maps_of_tools(content, expected):
    assert labels_in_values(content) == expected


@pytest.mark.parametrize("content", [{"cat": [300, 0, 0]}, {"cat": -1}, {"#ff00": "cat"}, [{"name": "a", "color": 7}]])
def test_colours_and_values_that_are_none(content):
    with pytest.raises(ValueError, match=r"of 'cat'|of 'a'"):
        labels_in_values(content)
