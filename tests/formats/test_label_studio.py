"""Label Studio's exports: which annotation counts, where images lie, shapes, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from data_layouts import brush_code, label_studio_masks, put

from otx_seg.datasets import open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import DataError

SIZE = (20, 40)
SQUARE = {"points": [[10, 10], [50, 10], [50, 60], [10, 60]], "polygonlabels": ["cat"]}  # percent
PIXELS = (slice(2, 12), slice(4, 20))


def result(value, **others):
    size = {"original_height": SIZE[0], "original_width": SIZE[1], "image_rotation": 0}
    return {"id": "x", "type": "any", **size, "value": value, **others}


def annotation(*results, **others):
    return {"id": 1, "was_cancelled": False, "ground_truth": False, "result": list(results), **others}


def write(root, *annotations, url="/data/upload/3/0a1b2c3d-a.png", image="images/a.png", **others):
    put(root / image, np.zeros((*SIZE, 3), np.uint8))
    task = {"id": 5, "annotations": list(annotations), "data": {"image": url}, "predictions": [], **others}
    (root / "project-1.json").write_text(json.dumps([task]))
    return root


def mask_of(root):
    (subset,) = open_folder(root).values()
    assert subset.labels.names == ("background", "cat")
    return subset.read_mask(subset.samples[0])


def expected():
    mask = np.zeros(SIZE, np.uint8)
    mask[PIXELS] = 1
    return mask


@pytest.mark.parametrize(
    "value",
    [
        SQUARE,
        {"x": 10, "y": 10, "width": 40, "height": 50, "rotation": 0, "rectanglelabels": ["cat"]},
        {"x": 50, "y": 10, "width": 25, "height": 80, "rotation": 90, "rectanglelabels": ["cat"]},
        {"format": "rle", "rle": brush_code(expected() == 1), "brushlabels": ["cat"]},
    ],
    ids=["polygon", "rectangle", "turned rectangle", "brush"],
)
def test_shapes(tmp_path, value):
    np.testing.assert_array_equal(mask_of(write(tmp_path, annotation(result(value)))), expected())


def test_an_ellipse(tmp_path):
    value = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 25, "rotation": 0, "ellipselabels": ["cat"]}
    mask = mask_of(write(tmp_path, annotation(result(value))))
    down, across = np.mgrid[: SIZE[0], : SIZE[1]]
    reach = np.hypot((across + 0.5 - 20) / 10, (down + 0.5 - 10) / 5)
    assert (mask[reach < 0.9] == 1).all()
    assert (mask[reach > 1.1] == 0).all()


def test_a_label_in_another_result_of_the_same_region(tmp_path):
    shape = {key: value for key, value in SQUARE.items() if key != "polygonlabels"}
    root = write(tmp_path, annotation(result(shape, type="polygon"), result({"labels": ["cat"]}, type="labels")))
    np.testing.assert_array_equal(mask_of(root), expected())


def test_a_region_without_label_is_ignored(tmp_path, messages):
    root = write(tmp_path, annotation(result({**SQUARE, "polygonlabels": []})))
    (root / "labels.txt").write_text("cat\n")
    np.testing.assert_array_equal(mask_of(root), expected() * 255)
    assert "1 regions have no label: their pixels are ignored" in messages.text


def test_which_annotation_counts(tmp_path):
    other = annotation(result({**SQUARE, "polygonlabels": ["dog"]}))
    for given in (
        (other, annotation(result(SQUARE))),
        (annotation(result(SQUARE), ground_truth=True), other),
        (annotation(result(SQUARE)), {**other, "was_cancelled": True}),
    ):
        np.testing.assert_array_equal(mask_of(write(tmp_path, *given)), expected())


def test_tasks_without_annotation_are_left_out(tmp_path):
    root = write(tmp_path, annotation(result(SQUARE)))
    put(root / "images/b.png", np.zeros((*SIZE, 3), np.uint8))
    tasks = json.loads((root / "project-1.json").read_text())
    tasks.append({"id": 6, "annotations": [annotation(was_cancelled=True)], "data": {"image": "b.png"}})
    tasks.append({"id": 7, "annotations": [annotation()], "data": {"image": "gone.png"}})
    (root / "project-1.json").write_text(json.dumps(tasks))
    (subset,) = open_folder(root).values()
    assert [str(each) for each in subset.unmatched] == [
        "image of a task without annotation: images/b.png",
        "named in project-1.json, but not there: gone.png",
    ]


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("/data/upload/3/0a1b2c3d-a.png", "0a1b2c3d-a.png"),
        ("/data/local-files/?d=set/sub/a.png", "sub/a.png"),
        ("/data/local-files/?d=set%2Fmy%20images%2Fa.png", "images/my images/a.png"),
        ("s3://bucket/some/a.png", "a.png"),
        ("https://example.org/x/a.png?key=1", "x/a.png"),
        (r"C:\images\a.png", "images/a.png"),
    ],
)
def test_where_images_lie(tmp_path, url, image):
    (subset,) = open_folder(write(tmp_path, annotation(result(SQUARE)), url=url, image=image)).values()
    assert [sample.name for sample in subset.samples] == [image]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (result({**SQUARE, "points": 1}), "points should be a list"),
        (result({**SQUARE, "points": [[1, 2], [1e9, 2], [3, 3]]}), "it should be from -1,000,000"),
        (result({**SQUARE, "polygonlabels": ["a", "b"]}), "has 2 labels, a, b; a pixel has one"),
        (result({**SQUARE, "polygonlabels": [None]}), "its label is None"),
        (result(SQUARE, original_width=None), "its width is None, not a number"),
        (result(SQUARE, original_width=1e6, original_height=1e6), "more pixels than the 500 million that are read"),
        (result(SQUARE, image_rotation=90), "the image is turned"),
        (result({"format": "png", "rle": [], "brushlabels": ["cat"]}), "format is 'png'; rle is read"),
        ("x", "result 1: it should be a mapping"),
    ],
)
def test_results_that_are_refused(tmp_path, changed, message):
    with pytest.raises(DataError, match=rf"project-1\.json: task 5: .*{message}"):
        open_folder(write(tmp_path, annotation(changed)))


def test_a_damaged_brush_code(tmp_path):
    value = {"format": "rle", "rle": brush_code(expected() == 1)[:-2], "brushlabels": ["cat"]}
    with pytest.raises(DataError, match=r"project-1\.json: object 1 in images/a\.png .*: its brush code is truncated"):
        mask_of(write(tmp_path, annotation(result(value))))


def test_several_images_of_a_task(tmp_path):
    root = write(tmp_path, annotation(result(SQUARE)), data={"one": "a.png", "two": "b.png"})
    with pytest.raises(DataError, match="its data name 2 images; one image a task is read"):
        open_folder(root)


def test_strokes_as_files(tmp_path):
    label_studio_masks(tmp_path)
    train = tmp_path / "train"
    # A later annotation of the same task, with a label of its own, in two files.
    for number, box in enumerate(((0, 10), (5, 16))):
        strokes = np.zeros((16, 24), np.uint8)
        strokes[: 8 + number, slice(*box)] = 255
        put(train / f"masks/task-1-annotation-9-by-1-tag-red-brick-{number}.png", strokes)
    put(train / "masks/task-7-annotation-9-by-1-tag-cat-0.png", np.zeros((16, 24), np.uint8))
    subset = open_folder(tmp_path)["train"]
    assert subset.labels.names == ("background", "cat", "dog", "red-brick")
    mask = subset.read_mask(subset.samples[1])
    assert mask[7].tolist() == [3] * 16 + [0] * 8
    assert "strokes without image: train/masks/task-7-annotation-9-by-1-tag-cat-0.png" in map(str, subset.unmatched)


def test_strokes_whose_images_are_called_otherwise(tmp_path):
    label_studio_masks(tmp_path)
    for path in tmp_path.glob("*/im*/*.png"):
        path.rename(path.with_name(f"scan {path.name}"))
    assert looks_like(tmp_path) == ["label_studio_masks"]
    with pytest.raises(
        DataError, match=r"no image belongs to its 4 files of strokes, .* the name 0\.jpg, or export JSON"
    ):
        open_folder(tmp_path)


def test_the_export_as_json_comes_before_strokes_as_files(tmp_path):
    root = write(tmp_path, annotation(result(SQUARE)))
    put(root / "task-5-annotation-1-by-1-tag-cat-0.png", np.zeros(SIZE, np.uint8))
    assert looks_like(root) == ["label_studio"]


def test_predictions_count_in_a_file_without_annotations(tmp_path, messages):
    predicted = {"model_version": "otx", "result": [result(SQUARE)]}
    np.testing.assert_array_equal(mask_of(write(tmp_path, predictions=[predicted])), expected())
    assert "1 masks are predictions that nobody has corrected" in messages.text
    path = tmp_path / "project-1.json"
    (task,) = json.loads(path.read_text())
    other = {"id": 6, "annotations": [annotation(result(SQUARE))], "data": {"image": "b.png"}, "predictions": []}
    put(tmp_path / "images" / "b.png", np.zeros((*SIZE, 3), np.uint8))
    path.write_text(json.dumps([task, other]))
    (subset,) = open_folder(tmp_path).values()
    assert [sample.name for sample in subset.samples] == ["images/b.png"]
    assert "task without annotation" in str(subset.unmatched[0])
