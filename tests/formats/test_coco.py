"""Objects with outlines in JSON: what becomes of them, and what is refused."""

import json
import math

import numpy as np
import pytest
from data_layouts import put

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError

SQUARE = [0, 0, 8, 0, 8, 8, 0, 8]
SMALL = [2, 2, 4, 2, 4, 4, 2, 4]


def annotation(category, segmentation, **more):
    return {"id": 1, "image_id": 5, "category_id": category, "segmentation": segmentation, "iscrowd": 0, **more}


@pytest.fixture
def coco(tmp_path):
    """Writes an image of 10 x 8 pixels and its annotations: `coco([annotation(...)])` gives the folder."""

    def write(annotations, file="annotations/instances_train2017.json", categories=("cat", "dog"), **image):
        put(tmp_path / "train2017" / "a.png", np.zeros((8, 10, 3), np.uint8))
        described = {"id": 5, "file_name": "a.png", "height": 8, "width": 10, **image}
        content = {
            "info": {},
            "images": [described],
            "categories": [{"id": 10 + index, "name": name} for index, name in enumerate(categories)],
            "annotations": annotations,
        }
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(json.dumps(content))
        return tmp_path

    return write


def mask_of(root):
    subset = open_folder(root)["train"]
    return subset.read_mask(subset.samples[0])


def test_background_is_put_before_the_objects_unless_it_is_one(coco):
    subset = open_folder(coco([annotation(10, [SQUARE])]))["train"]
    assert (subset.labels.names, subset.labels.background) == (("background", "cat", "dog"), 0)
    subset = open_folder(coco([annotation(10, [SQUARE])], categories=("cat", "Background")))["train"]
    assert (subset.labels.names, subset.labels.background) == (("cat", "Background"), 1)
    assert subset.read_mask(subset.samples[0])[0].tolist() == [0] * 8 + [1] * 2


@pytest.mark.parametrize("small_first", [True, False])
def test_small_objects_lie_on_large_ones_in_any_order_of_the_file(coco, small_first):
    both = [annotation(11, [SMALL], area=4), annotation(10, [SQUARE])]  # one area is noted, one worked out
    expected = np.zeros((8, 10), np.uint8)
    expected[:, :8] = 1
    expected[2:4, 2:4] = 2
    np.testing.assert_array_equal(mask_of(coco(both if small_first else both[::-1])), expected)


def test_crowds_and_boxes_without_outline_are_ignored_below_the_objects(coco):
    crowd = annotation(10, {"counts": [0, 16, 64], "size": [8, 10]}, iscrowd=1)
    box = annotation(11, [], bbox=[8, 0, 2, 4])
    mask = mask_of(coco([annotation(10, [SMALL]), crowd, box]))
    assert mask[2:4, 2:4].tolist() == [[1, 1], [1, 1]]
    assert mask[0].tolist() == [255, 255, *[0] * 6, 255, 255]
    assert mask[4].tolist() == [255, 255, *[0] * 8]


def test_outlines_of_a_category_with_nothing_but_crowds_are_objects(coco, messages):
    code = {"counts": [0, 8, 72], "size": [8, 10]}
    assert mask_of(coco([annotation(10, code, iscrowd=1)]))[0].tolist() == [1, *[0] * 9]
    below = {**code, "counts": [8, 8, 64]}
    crowds = [annotation(10, code, iscrowd=1), annotation(11, below, iscrowd=1)]
    assert mask_of(coco([annotation(11, [SMALL]), *crowds]))[0].tolist() == [1, 255, *[0] * 8]
    assert "taken for objects: 1" in messages.text
    assert "crowds, whose pixels are ignored: 1" in messages.text


def test_parts_of_an_object_and_compressed_codes(coco):
    from pycocotools import mask as tool

    there = np.zeros((8, 10), np.uint8, order="F")
    there[7, 9] = 1
    code = tool.encode(there)
    compressed = {"counts": code["counts"].decode(), "size": code["size"]}
    mask = mask_of(
        coco([annotation(10, [[0, 0, 2, 0, 2, 2, 0, 2], [4, 0, 6, 0, 6, 2, 4, 2]]), annotation(11, compressed)])
    )
    assert mask[0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    assert np.argwhere(mask == 2).tolist() == [[7, 9]]


def test_images_without_objects_and_without_size_are_background(coco):
    assert not mask_of(coco([], height=None, width=None)).any()
    assert mask_of(coco([], height=None, width=None)).shape == (8, 10)


def test_files_with_outlines_come_before_others_of_a_subset(coco):
    root = coco([annotation(10, [SQUARE])])
    for other in ("captions", "person_keypoints", "stuff"):
        coco([], file=f"annotations/{other}_train2017.json", categories=("other", "labels"))
    assert open_folder(root)["train"].labels.names == ("background", "cat", "dog")


def test_the_file_may_lie_among_the_images_or_elsewhere(coco, tmp_path):
    root = coco([annotation(10, [SQUARE])], file="train2017/_annotations.coco.json")
    assert mask_of(root).max() == 1
    coco([annotation(11, [SQUARE])], file="labels.json")  # of FiftyOne
    (tmp_path / "train2017").rename(tmp_path / "data")
    subset = open_folder(root)["default"]
    assert (subset.samples[0].images_folder, subset.read_mask(subset.samples[0]).max()) == (str(root / "data"), 2)
    (tmp_path / "data").rename(tmp_path / "train2017")
    coco([annotation(11, [SQUARE])], file="other/instances_train_mine.json")
    (tmp_path / "train2017").rename(tmp_path / "other/train")
    assert open_folder(tmp_path / "other")["train_mine"].samples[0].images_folder == str(tmp_path / "other/train")
    (tmp_path / "other/train").rename(tmp_path / "train2017")
    coco([annotation(11, [SQUARE])], file="elsewhere/mine.json")
    subset = open_folder(tmp_path / "train2017", annotations=tmp_path / "elsewhere" / "mine.json")["default"]
    assert subset.read_mask(subset.samples[0]).max() == 2


def test_missing_images_are_listed(coco):
    root = coco([annotation(10, [SQUARE])])
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["images"].append({"id": 6, "file_name": "lost.png"})
    path.write_text(json.dumps(content))
    unmatched = open_folder(root)["train"].unmatched
    assert tuple(map(str, unmatched)) == (f"named in {path.name}, but not in {root / 'train2017'}: lost.png",)
    assert unmatched[0].path == str(root / "train2017" / "lost.png")


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([[1, 2, 3, 4, 5, "x"]], "a coordinate is 'x', not a number"),
        ([[1, 2, 3, 4, 5, None]], "a point that is no number"),
        ([[0, 0, 1e9, 0, 1e9, 1e9, 0, 1e9]], r"the point \(1e\+09, 1e\+09\) lies far outside of the image"),
        ([[0, 0, -200, 0, 0, 5]], r"the point \(-200, 0\) lies far outside of the image"),
        ({"counts": "0P", "size": [8, 10]}, "its run-length code is damaged"),
        ({"counts": "ö", "size": [8, 10]}, "its run-length code has letters outside ASCII"),
        ({"counts": [0, -8, 88], "size": [8, 10]}, "its run-length code has a run of -8 pixels"),
        ({"counts": [0, 80], "size": 80}, "the size of its run-length code is 80"),
        ({"counts": [0, 80]}, "'size' is missing"),
        ({"counts": [0, 8], "size": [8, 10]}, "its run-length code is for 8 pixels"),
        ({"counts": [0, 80], "size": [10, 8]}, "its run-length code is for 8 x 10 pixels"),
    ],
)
def test_unusable_outlines_are_named(coco, segmentation, reason):
    root = coco([annotation(10, segmentation, area=1)])
    with pytest.raises(DataError, match=f"instances_train2017.json: the outline of an object in a.png .*{reason}"):
        mask_of(root)


def test_boxes_alone(coco):
    root = coco([annotation(10, [], bbox=[1, 1, 3, 3]), {"image_id": 5, "category_id": 11, "bbox": [0, 0, 1, 1]}])
    with pytest.raises(DataError, match="none of its 2 annotations has a segmentation: there are boxes but no masks"):
        open_folder(root)


def test_an_unknown_category(coco):
    told = "1 annotation with a category_id that is not among the categories: 99; add"
    with pytest.raises(DataError, match=told):
        open_folder(coco([annotation(99, [SQUARE])]))
    with pytest.raises(DataError, match="among the categories: '10'; write these ids as numbers in both places"):
        open_folder(coco([annotation("10", [SQUARE])]))


def test_a_category_without_a_name(coco):
    root = changed(coco([annotation(10, [SQUARE])]), lambda content: content["categories"][0].update(name=None))
    with pytest.raises(DataError, match=r"the name of category \d+ is None, not a name"):
        open_folder(root)


def test_nan_in_a_field_that_nobody_uses(coco):
    """As pandas and annotation tools write what is missing."""
    root = coco([annotation(10, [SQUARE], score=math.nan, attributes={"depth": math.inf})])
    assert (mask_of(root) == 1).any()
    with pytest.raises(DataError, match="nan"):
        mask_of(coco([annotation(10, [[math.nan, 1, 4, 1, 4, 5]])]))


def test_files_that_are_no_coco(coco):
    root = coco([])
    path = root / "annotations" / "instances_train2017.json"
    for beginning in ('{"info": {}, "images": [', '{"images": [', "", "PK"):
        path.write_text(beginning)
        with pytest.raises(DataError, match=r"instances_train2017.json: (not valid JSON|the file is empty)"):
            open_folder(root)
    path.write_text('{"info": {}, "images": [')
    with pytest.raises(DataError, match="not valid JSON"):
        open_folder(root)
    path.write_text('{"info": {}, "images": []}')
    with pytest.raises(DataError, match="no COCO file; a COCO file has lists images, categories and annotations"):
        open_folder(root)


def test_images_outside_the_data_set_are_not_looked_for(coco, tmp_path):
    put(tmp_path.parent / "secret.png", np.zeros((8, 10, 3), np.uint8))
    root = coco([], file_name="../../secret.png")
    with pytest.raises(DataError, match=r"none of its 1 images is below .*: \.\./\.\./secret\.png"):
        open_folder(root)


@pytest.mark.parametrize(
    "name", [r"train\a.png", r"C:\data\train\a.png", "/home/me/data/a.png", "../upload/a.png", "./a.png"]
)
def test_paths_of_another_machine(coco, name):
    root = coco([annotation(10, [SQUARE])], file_name=name)
    subset = open_folder(root)["train"]
    assert [sample.image for sample in subset.samples] == [f"{root}/train2017/a.png"]
    assert subset.read_mask(subset.samples[0]).max() == 1


def test_a_file_that_two_paths_could_mean_is_not_taken_for_either(coco):
    root = coco([annotation(10, [SQUARE])], file_name="left/a.png")
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content["images"].append({"id": 6, "file_name": "right/a.png"})
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"but not in .*train2017: left/a\.png"):
        open_folder(root)
    content["images"].append({"id": 7, "file_name": "a.png"})  # this one says it
    path.write_text(json.dumps(content))
    assert len(open_folder(root)["train"]) == 1


def test_outlines_of_too_few_points_are_ignored_in_their_box(coco, messages):
    """Clicks that a label tool kept: their boxes are noted in some files, and follow from the points in others."""
    line, click = annotation(10, [[6, 1, 8, 3]]), annotation(11, [[9, 7, 9, 7]], bbox=[8, 6, 2, 2], area=0)
    parts = annotation(11, [SMALL, [0, 0, 1, 0, 1], []])
    root = coco([line, click, parts])
    mask = mask_of(root)
    assert np.argwhere(mask == 255).tolist() == [[0, 0], [1, 6], [1, 7], [2, 6], [2, 7], [6, 8], [6, 9], [7, 8], [7, 9]]
    assert mask[2:4, 2:4].tolist() == [[2, 2], [2, 2]]
    told = "3 polygons have fewer than three points, the first one in a.png: the pixels in their boxes are ignored"
    assert messages.text.count("fewer than three points") == 1
    assert f"instances_train2017.json: {told}" in messages.text


def changed(root, change):
    """The folder after a change of the content of its file."""
    path = root / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return root


def test_equal_ids_of_images_are_refused_by_number_and_name(coco):
    root = changed(
        coco([annotation(10, [SQUARE])]), lambda content: content["images"].append({"id": 5, "file_name": "b.png"})
    )
    with pytest.raises(DataError, match=r"json: images have the same id: 5 \(a\.png, b\.png\); which of them"):
        open_folder(root)


def test_an_image_that_is_listed_twice_is_one(coco, messages):
    root = changed(coco([annotation(10, [SQUARE])]), lambda content: content["images"].append(content["images"][0]))
    assert mask_of(root).max() == 1
    assert "images occur twice, with the same id: a.png" in messages.text


def test_several_spellings_of_background_are_one_label(coco):
    objects = [annotation(10, [SQUARE]), annotation(11, [SMALL]), annotation(12, [[6, 6, 8, 6, 8, 8, 6, 8]])]
    subset = open_folder(coco(objects, categories=("cat", "_background_", "background")))["train"]
    assert (subset.labels.names, subset.labels.background) == (("cat", "background"), 1)
    assert subset.read_mask(subset.samples[0])[[0, 2, 7], [0, 2, 7]].tolist() == [0, 1, 1]


@pytest.mark.parametrize("key", ["images", "categories", "annotations"])
@pytest.mark.parametrize("entry", [5, "x", None, [], True])
def test_entries_that_are_no_mappings(coco, key, entry):
    root = changed(coco([annotation(10, [SQUARE])]), lambda content: content[key].append(entry))
    with pytest.raises(DataError, match=rf"an entry of {key} is .*, no mapping; a COCO file has"):
        open_folder(root)


def test_a_polygon_without_its_list(coco):
    told = r"an annotation of a\.png is unusable: a polygon is 0, not a list of numbers, x and y in turn"
    with pytest.raises(DataError, match=told):
        open_folder(coco([annotation(10, SQUARE)]))


def test_a_number_in_place_of_outlines(coco):
    with pytest.raises(DataError, match="its segmentation is 7, neither polygons nor a run-length code"):
        open_folder(coco([annotation(10, 7)]))


def test_two_images_of_one_file(coco):
    root = changed(
        coco([annotation(10, [SQUARE])]), lambda content: content["images"].append({"id": 6, "file_name": "a.png"})
    )
    with pytest.raises(DataError, match=r"two images have the file name a\.png; remove one"):
        open_folder(root)


def test_annotations_of_unknown_images_are_told_and_refused_where_there_are_no_others(coco, messages):
    root = coco([annotation(10, [SQUARE]), annotation(10, [SMALL], image_id=99, id=2)])
    assert mask_of(root).max() == 1
    assert "1 annotation with an image_id that no image has: 99; they are not used" in messages.text
    with pytest.raises(DataError, match="no annotation is of one of its images: image_id is 99, images have the ids 5"):
        open_folder(coco([annotation(10, [SMALL], image_id=99)]))
    with pytest.raises(DataError, match=r"image_id is '5', .* ids 5; write these ids as numbers in both places"):
        open_folder(coco([annotation(10, [SMALL], image_id="5")]))


def test_no_more_than_ten_ids_are_named(coco, messages):
    open_folder(coco([annotation(10, [SQUARE]), *(annotation(10, [SMALL], image_id=9 + i) for i in range(15))]))
    assert "image has: 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 and 5 more; they are not used" in messages.text


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([{"id": 10, "name": "cat"}, {"id": 10, "name": "dog"}], "categories have the same id: 10; give each its own"),
        ([{"id": 10, "name": "cat"}, {"id": 11, "name": "cat"}], "the categories 10, 11 are all called 'cat'; give"),
    ],
)
def test_equal_categories(coco, entries, told):
    root = changed(coco([annotation(10, [SQUARE])]), lambda content: content.update(categories=entries))
    with pytest.raises(DataError, match=told):
        open_folder(root)


def test_equal_ids_of_annotations_are_told(coco, messages):
    assert mask_of(coco([annotation(10, [SQUARE]), annotation(11, [SMALL])])).max() == 2
    assert "annotations have the same id: 1; they are taken for different objects" in messages.text


@pytest.mark.parametrize("name", ["_background_", "__background__", "BG", "Background"])
def test_background_has_spellings(coco, name):
    subset = open_folder(coco([annotation(10, [SQUARE]), annotation(11, [SMALL])], categories=("cat", name)))["train"]
    assert (subset.labels.names, subset.labels.background) == (("cat", name), 1)
    assert subset.read_mask(subset.samples[0])[2, :3].tolist() == [0, 0, 1]


def test_objects_that_have_no_label_by_their_name_are_ignored(coco, messages):
    root = coco([annotation(10, [SQUARE]), annotation(11, [SMALL])], categories=("cat", "__unlabeled__"))
    subset = open_folder(root)["train"]
    assert subset.labels.names == ("background", "cat")
    assert subset.read_mask(subset.samples[0])[2, :4].tolist() == [1, 1, 255, 255]
    assert "__unlabeled__: taken for no label; the pixels of such objects are ignored" in messages.text


def roboflow(*categories):
    listed = [{"id": id_, "name": name, "supercategory": above} for id_, name, above in categories]
    return lambda content: content.update(categories=listed)


def test_the_category_above_all_others_is_no_label(coco, messages):
    listed = [(0, "pets", "none"), (10, "cat", "pets"), (11, "bird", "pets")]
    root = coco([annotation(10, [SQUARE])])
    assert open_folder(changed(root, roboflow(*listed)))["train"].labels.names == ("background", "cat", "bird")
    assert "the category 'pets', which stands for all others, is no label" in messages.text
    # One that is called like a label, and some that are labels like the others.
    assert open_folder(changed(root, roboflow((0, "cat", "none"), (10, "cat", "cat"))))["train"].labels.names == (
        "background",
        "cat",
    )
    for others in ([(0, "pets", "none"), (10, "cat", "none")], [(0, "pets", "things"), (10, "cat", "pets")]):
        labels = open_folder(changed(root, roboflow(*others)))["train"].labels
        assert labels.names == ("background", "pets", "cat")
    changed(root, lambda content: content["annotations"].append(annotation(0, [SMALL])))
    assert open_folder(changed(root, roboflow(*listed)))["train"].labels.names == ("background", "pets", "cat", "bird")


@pytest.mark.parametrize(
    ("height", "width", "told"),
    [
        (-5, 10, "the image's height is -5; it should be from 1 to 500,000,000"),
        ("abc", 10, "the image's height is 'abc', not a number"),
        ("²", 10, "the image's height is '²', not a number"),
        (8, 10**12, "its width is 1000000000000; it should be"),
        (30_000, 30_000, "the image's size is 30000 x 30000, more pixels than the 500 million"),
        (8.5, 10, "the image's height is 8.5, not an integer"),
        ([8], 10, r"the image's height is \[8\], not a number"),
    ],
)
def test_impossible_sizes_of_images(coco, height, width, told):
    root = coco([annotation(10, [SQUARE])], height=height, width=width)
    with pytest.raises(DataError, match=rf"instances_train2017\.json: the size of a\.png is unusable: {told}"):
        open_folder(root)


def test_a_large_size_is_compared_with_the_file_before_there_is_a_mask_of_it(coco):
    subset = open_folder(coco([annotation(10, [SQUARE])], height=20_000, width=20_000))["train"]
    with pytest.raises(DataError, match=r"says that a\.png has 20000 x 20000 pixels, the file has 10 x 8; correct the"):
        subset.read_mask(subset.samples[0])


def refusal(root):
    """What is said where the folder cannot be read, or None where its mask is there."""
    try:
        assert mask_of(root).shape == (8, 10)
    except DataError as error:
        return str(error)
    return None


ODD = [
    math.nan,
    math.inf,
    None,
    True,
    "",
    "x",
    "²",
    "-1",
    -1,
    0,
    0.5,
    1e9,
    -1e9,
    1e300,
    10**30,
    [],
    [[]],
    [None],
    {},
    {"a": 1},
    "1" * 5000,
]


@pytest.mark.parametrize(
    "field", ["id", "image_id", "category_id", "iscrowd", "area", "bbox", "segmentation", "points"]
)
def test_odd_values_are_read_or_refused(coco, field):
    for value in ODD:
        changes = {
            "bbox": {"bbox": [0, 0, value, 4], "segmentation": []},
            "points": {"segmentation": [[0, 0, value, 4, 3, 7], [1, 1, 4, value, 2, 2]]},
        }.get(field, {field: value})
        root = coco([annotation(10, [SMALL], id=2), annotation(11, [SQUARE]) | changes])
        told = refusal(root)
        assert told is None or told.startswith(f"{root}/annotations/instances_train2017.json: ")
        assert len(told or "") < 500


@pytest.mark.parametrize("where", ["counts", "size", "a count", "a side", "text"])
def test_odd_run_lengths_are_read_or_refused(coco, where):
    for value in ODD:
        code = {
            "counts": {"counts": value, "size": [8, 10]},
            "size": {"counts": [0, 80], "size": value},
            "a count": {"counts": [0, value, 72], "size": [8, 10]},
            "a side": {"counts": [0, 80], "size": [8, value]},
            "text": {"counts": f"{value}5", "size": [8, 10]},
        }[where]
        root = coco([annotation(10, code)])
        told = refusal(root)
        assert told is None or told.startswith(f"{root}/annotations/instances_train2017.json: ")
        assert len(told or "") < 500
