import json

import pytest

from otx_seg.annotations.dataset_meta import read_dataset_meta
from otx_seg.errors import DataError
from otx_seg.labels import default_colors


@pytest.fixture
def meta(tmp_path):
    def write(content):
        path = tmp_path / "dataset_meta.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def label_map(*names):
    return {str(index): name for index, name in enumerate(names)}


def test_labels_and_colours_in_index_order(meta):
    path = meta({"label_map": {"1": "cat", "0": "ground"}, "segmentation_colors": [[1, 2, 3], [4, 5, 6]]})
    labels, code = read_dataset_meta(path)
    assert labels.names == code.names == ("ground", "cat")
    assert labels.colors == code.colors == ((1, 2, 3), (4, 5, 6))
    assert labels.background is None


@pytest.mark.parametrize("colors", [{}, {"segmentation_colors": []}, {"segmentation_colors": [None, None]}])
def test_labels_without_colours_get_colours_for_overlays_only(meta, colors):
    labels, code = read_dataset_meta(meta({"label_map": label_map("a", "b"), **colors}))
    assert code.colors == (None, None)
    assert labels.colors == default_colors(2)


def test_one_label_without_colour(meta):
    content = {"label_map": label_map("a", "b"), "segmentation_colors": [[9, 9, 9], None]}
    labels, code = read_dataset_meta(meta(content))
    assert code.colors == ((9, 9, 9), None)
    assert labels.colors == ((9, 9, 9), default_colors(2)[1])


def test_a_list_of_labels_does_too(meta):
    labels, code = read_dataset_meta(meta({"labels": ["Background", "b"]}))
    assert labels.names == ("Background", "b")
    assert labels.background == 0
    assert code.colors == (None, None)
    assert read_dataset_meta(meta({"labels": ["a", "b"], "label_map": label_map("a", "b")}))[0].names == ("a", "b")


@pytest.mark.parametrize(("given", "expected"), [({}, 1), ({"background_label": "0"}, 0), ({"background_label": 2}, 2)])
def test_the_background_is_the_stated_label_or_the_one_of_that_name(meta, given, expected):
    labels, _ = read_dataset_meta(meta({"label_map": label_map("a", "background", "b"), **given}))
    assert labels.background == expected


def test_names_in_other_scripts(meta):
    labels, _ = read_dataset_meta(meta(json.dumps({"label_map": label_map("Straße", "猫")}, ensure_ascii=False)))
    assert labels.names == ("Straße", "猫")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"label_map": {"0": "a",', r"not valid JSON \(.*line 1"),
        ("\x80", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"label_map": {"0": "a", "1": "b"}, "label_map": {"0": "a"}}', "not valid JSON .*'label_map'.* twice"),
        ('{"label_map": {"' + "1" * 5000 + '": "a"}}', "label_map key '1111.* is not an integer"),
        ('{"labels": [' + ", ".join(f'"{n}"' for n in range(100_000)) + "]}", "100000 labels; at most"),
        ('{"label_map": {"0": "a", "1": "b"}, "note": NaN}', "not valid JSON"),
        ('["a", "b"]', "a JSON object is expected"),
        ("{}", "no label_map; it should look like"),
        ('{"label_map": {"0": "a", "0": "b"}}', "the key '0' occurs twice"),
        ({"label_map": ["a", "b"]}, "label_map should map mask values to names"),
        ({"label_map": {"0": "a", "1": 7}}, "label_map should map mask values to names"),
        ({"label_map": {"0": "a", "x": "b"}}, "label_map key 'x' is not an integer"),
        ({"label_map": {"0": "a", "-1": "b"}}, "label_map key '-1' is not an integer"),
        ({"label_map": {"0": "a", "01": "b"}}, "label_map key '01' is not an integer"),
        ({"label_map": {"0": "a", "1.0": "b"}}, "label_map key '1.0' is not an integer"),
        ({"label_map": {"0": "a", "2": "b"}}, "2 labels but none for mask value 1; number the labels from 0"),
        ({"label_map": {"1": "a", "2": "b"}}, "none for mask value 0"),
        ({"label_map": label_map("a", "b", "a")}, "the label 'a' is named twice"),
        ({"labels": ["a", "b", "b"]}, "the label 'b' is named twice"),
        ({"labels": "ab"}, "labels should be a list of names"),
        ({"labels": ["a", "b"], "label_map": label_map("b", "a")}, "differ; remove one of them"),
        ({"label_map": label_map("a", " ")}, "the name of label 1 is empty"),
        ({"label_map": label_map("a", "b\n")}, "label 1, .* has control characters"),
        ({"label_map": label_map("a", "b" * 1001)}, "label 1, .* has 1,001 characters; a name has 1000"),
        ({"label_map": label_map("a")}, "only the label 'a'; a network needs at least two"),
        ({"label_map": label_map("BG")}, "only the label 'BG'; .* to tell apart: label what it should find"),
        ({"label_map": label_map("a", "b"), "ignored_label": {}}, "did you mean 'ignored_labels'"),
        ({"label_map": {}}, "no label; a network needs at least two"),
        ({"label_map": label_map(*map(str, range(255)))}, "255 labels; at most 254"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": [[0, 0, 0]]}, "a list of 2 colours"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": {"a": [0, 0, 0]}}, "a list of 2 colours"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": [[0, 0, 0], [0, 0, 256]]}, r"is \[0, 0, 256\]"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": [[0, 0], [0, 0, 1]]}, r"segmentation_colors\[0\]"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": [[0, 0, 0.5], None]}, r"segmentation_colors\[0\]"),
        ({"label_map": label_map("a", "b"), "segmentation_colors": [[1, 1, 1]] * 2}, "'a' and 'b' have the same"),
        ({"label_map": label_map("a", "b"), "background_label": "2"}, "background_label is '2'; it should be .* 0-1"),
        ({"label_map": label_map("a", "b"), "background_label": "a"}, "background_label is 'a'"),
    ],
)  # fmt: skip
def test_unusable_files(meta, content, message):
    with pytest.raises(DataError, match=rf"dataset_meta\.json: .*{message}"):
        read_dataset_meta(meta(content))


def test_a_file_in_another_encoding(tmp_path):
    (tmp_path / "dataset_meta.json").write_bytes('{"label_map": {"0": "Straße"}}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"is not UTF-8 text .*; save it as UTF-8"):
        read_dataset_meta(tmp_path / "dataset_meta.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark(tmp_path, encoding):
    (tmp_path / "dataset_meta.json").write_bytes('{"label_map": {"0": "Straße", "1": "b"}}'.encode(encoding))
    assert read_dataset_meta(tmp_path / "dataset_meta.json")[0].names == ("Straße", "b")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"dataset_meta\.json: the file is missing; it names the labels"):
        read_dataset_meta(tmp_path / "dataset_meta.json")


def test_names_may_look_like_paths(meta):
    names = ("road/sidewalk", "c:\\b", "..", "con")
    assert read_dataset_meta(meta({"label_map": label_map(*names)}))[0].names == names
