"""Folders of images and masks that nothing describes: how files are paired, and which labels there are."""

import shutil

import numpy as np
import pytest
from data_layouts import bare, painted, put, truth
from PIL import Image

from otx_seg.datasets import DataSpec, find_subsets, find_training, open_folder
from otx_seg.datasets.check.problems import snapped_pixels
from otx_seg.datasets.scan import scan
from otx_seg.errors import DataError


def folders(root, masks, ending=""):
    """Images a, b, ... and these masks."""
    for name, mask in zip("abcdef", masks, strict=False):
        put(root / "images" / f"{name}.jpg", np.zeros((*np.shape(mask)[:2], 3), np.uint8))
        put(root / "masks" / f"{name}{ending}.png", np.asarray(mask, np.uint8))
    return root


def opened(root):
    (subset,) = open_folder(root).values()
    return subset, [subset.read_mask(sample)[0].tolist() for sample in subset.samples]


def test_labels_are_the_values_found_in_all_subsets(tmp_path, messages):
    bare(tmp_path, listed=False)
    put(tmp_path / "masks/val/im2.png", truth("im2") * 3)
    subsets = open_folder(tmp_path)
    for subset in subsets.values():
        assert subset.labels.names == ("label_0", "label_1", "label_2", "label_3", "label_6")
        assert subset.labels.background is None
    val = subsets["val"]
    np.testing.assert_array_equal(val.read_mask(val.samples[0]), np.array([0, 3, 4])[truth("im2")])
    assert messages.text.count("nothing names the labels") == 1
    assert "label_0, label_1, label_2, label_3, label_6; 255 is ignored; name them in labels.txt" in messages.text


def test_255_is_ignored_but_where_it_is_all_there_is_beside_0(tmp_path):
    assert opened(folders(tmp_path / "three", [[[0, 1, 255]]]))[1] == [[0, 1, 255]]
    subset, masks = opened(folders(tmp_path / "two", [[[0, 255, 255]], [[0, 0, 0]]]))
    assert (subset.labels.names, masks) == (("color_000000", "color_ffffff"), [[0, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize("names", ["", "background\nsalt\n"])
def test_black_and_white_of_16_bits(names, tmp_path):
    root = folders(tmp_path, [[[0, 0, 0]]])
    put(root / "masks/a.png", np.array([[0, 65535, 0]], np.uint16))
    if names:
        (root / "labels.txt").write_text(names)
    subset, masks = opened(root)
    assert (subset.labels.names, masks) == (tuple(names.split()) or ("color_000000", "color_ffffff"), [[0, 1, 0]])


def test_the_only_folder_in_the_root_is_divided_too(tmp_path):
    for part, value in (("training", 1), ("validation", 2)):
        put(tmp_path / "ADE/images" / part / f"{part}.png", np.zeros((1, 2, 3), np.uint8))
        put(tmp_path / "ADE/annotations" / part / f"{part}.png", np.array([[0, value]], np.uint8))
    (tmp_path / "ADE/classes.txt").write_text("background\ncat\ndog\n")
    subsets = open_folder(tmp_path)
    assert {name: subset.labels.names for name, subset in subsets.items()} == dict.fromkeys(
        ("train", "val"), ("background", "cat", "dog")
    )


def test_colours_found(tmp_path, messages):
    white = np.full((1, 1, 3), 255, np.uint8)
    red_and_green = painted(np.array([[2, 1]], np.uint8))
    root = folders(tmp_path, [np.concatenate([red_and_green, white], axis=1)])
    subset, masks = opened(root)
    assert subset.labels.colors == ((0, 128, 0), (255, 0, 0))
    assert masks == [[0, 1, 255]]
    assert "color_008000 (0, 128, 0), color_ff0000 (255, 0, 0); white is ignored" in messages.text


def put_palette(path, palette, numbers):
    """A PNG file of palette numbers."""
    image = Image.fromarray(np.asarray(numbers, np.uint8), "P")
    image.putpalette([part for color in palette for part in color])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


BLACK, RED, GREEN, WHITE = (0, 0, 0), (255, 0, 0), (0, 128, 0), (255, 255, 255)


def with_palettes(root, *masks):
    """Images a, b, ... and masks with these palettes and numbers."""
    for name, (palette, numbers) in zip("abcdef", masks, strict=False):
        put(root / "images" / f"{name}.jpg", np.zeros((*np.shape(numbers)[:2], 3), np.uint8))
        put_palette(root / "masks" / f"{name}.png", palette, numbers)
    return root


def test_palettes_that_number_their_colours_anew_are_read_by_colour(tmp_path):
    """As programs write them that shrink colour masks to palette files one by one."""
    root = with_palettes(
        tmp_path, ([BLACK, RED], [[0, 1]]), ([BLACK, GREEN], [[0, 1]]), ([GREEN, WHITE, BLACK], [[2, 1]])
    )
    subset, masks = opened(root)
    assert subset.labels.names == ("color_000000", "color_008000", "color_ff0000")
    assert masks == [[0, 2], [0, 1], [0, 255]]


def test_black_and_white_palettes_in_any_order(tmp_path):
    root = with_palettes(tmp_path, ([BLACK, WHITE], [[0, 1, 1]]), ([WHITE, BLACK], [[0, 1, 1]]))
    assert opened(root)[1] == [[0, 1, 1], [1, 0, 0]]


def test_palettes_that_agree_number_the_labels(tmp_path):
    root = with_palettes(tmp_path, ([BLACK, RED, GREEN], [[0, 2]]), ([BLACK, RED], [[1, 0]]))
    subset, masks = opened(root)
    assert subset.labels.names == ("label_0", "label_1", "label_2")
    assert masks == [[0, 2], [1, 0]]


@pytest.mark.parametrize(
    ("palette", "numbers"),
    [([BLACK, RED, GREEN, (9, 9, 9)], [[0, 1, 1]]), (None, [[0, 1, 1]])],
    ids=["palette", "grey"],
)
def test_numbers_among_colours_are_refused(palette, numbers, tmp_path):
    root = folders(tmp_path, [painted(np.array([[0, 1, 2]], np.uint8))])
    put(root / "images/z.jpg", np.zeros((1, 3, 3), np.uint8))
    if palette is None:
        put(root / "masks/z.png", np.array(numbers, np.uint8))
    else:
        put_palette(root / "masks/z.png", palette, numbers)
    with pytest.raises(
        DataError, match=r"mix colours with numbers: .*masks/z\.png holds the values 0, 1, (others|and) "
    ):
        open_folder(root)


@pytest.mark.parametrize("colored", [False, True])
def test_soft_edges_of_black_and_white_masks_count_as_the_nearer_shade(colored, tmp_path, messages):
    """As resizing leaves them: else white would be ignored, and the edges would be the labels."""
    mask = np.array([[0] * 8 + [64, 126, 129, 191] + [254] * 2 + [255] * 7], np.uint8)
    root = folders(tmp_path, [np.repeat(mask[:, :, None], 3, axis=2) if colored else mask])
    subset, masks = opened(root)
    assert (subset.labels.names, masks) == (("color_000000", "color_ffffff"), [[0] * 10 + [1] * 11])
    assert "what lies between black and white (soft edges, JPEG) counts as the nearer one" in messages.text
    assert scan(subset).snapped == (("a.jpg", 6),)
    assert [problem.what for problem in snapped_pixels("training", scan(subset))] == [
        "6 pixels (29 %) of 1 mask had values or colours between those of labels and got the nearest label"
    ]


def test_254_is_white_where_it_is_all_there_is_beside_0(tmp_path):
    subset, masks = opened(folders(tmp_path, [[[0, 254, 254]], [[0, 0, 0]]]))
    assert (subset.labels.names, masks) == (("color_000000", "color_ffffff"), [[0, 1, 1], [0, 0, 0]])


def test_a_stray_pixel_makes_no_label_of_black_and_white_masks(tmp_path):
    mask = np.zeros((60, 60), np.uint8)
    mask[:30] = 255
    mask[-1, -1] = 1
    subset = opened(folders(tmp_path / "stray", [mask]))[0]
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), mask == 255)
    assert scan(subset).snapped == (("a.jpg", 1),)
    mask[40:50] = 1
    assert opened(folders(tmp_path / "labels", [mask]))[0].labels.names == ("label_0", "label_1")
    few = [[0, 3, 9, 9, 9, 255]]  # borders that are ignored
    assert opened(folders(tmp_path / "few", [few]))[0].labels.names == ("label_0", "label_3", "label_9")


@pytest.mark.parametrize("names", ["background\npolyp\n", "background 0 0 0\npolyp 255 255 255\n"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_two_labels_of_a_list_are_black_and_white_where_the_masks_are(names, suffix, tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    put(tmp_path / "images/a.png", np.zeros((64, 64, 3), np.uint8))
    put(tmp_path / f"masks/a{suffix}", mask)
    (tmp_path / "labels.txt").write_text(names)
    (subset,) = open_folder(tmp_path).values()
    assert (subset.labels.names, subset.labels.background) == (("background", "polyp"), 0)
    np.testing.assert_array_equal(subset.read_mask(subset.samples[0]), mask // 255)


def test_jpeg_masks_in_colours_snap_to_those_that_are_named(tmp_path):
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    mask[32:, :16] = 2
    put(tmp_path / "images/a.png", np.zeros((64, 64, 3), np.uint8))
    put(tmp_path / "masks/a.jpg", painted(mask))
    with pytest.raises(
        DataError, match=r"Write labels\.txt .* \(frequent are \(25\d, 0, 0\), \(0, 0, 0\), \(0, 128, 1\)\)"
    ):
        open_folder(tmp_path)
    (tmp_path / "labels.txt").write_text("background 0 0 0\ncat 255 0 0\ndog 0 128 0\n")
    (subset,) = open_folder(tmp_path).values()
    found = subset.read_mask(subset.samples[0])
    inside = np.ones(mask.shape, bool)  # at edges, JPEG mixes colours
    inside[:, 14:18] = inside[:, 30:34] = inside[30:34] = False
    np.testing.assert_array_equal(found[inside], mask[inside])
    (tmp_path / "labels.txt").write_text("background 0 0 0\ncat 255 0 0\n")
    mask[:] = 2
    put(tmp_path / "masks/a.jpg", painted(mask))
    with pytest.raises(DataError, match=r"a\.jpg: 4,096 of its 4,096 pixels have colours that are no label's"):
        scan(open_folder(tmp_path)["default"])


def test_lists_of_labels_that_differ(tmp_path):
    for part, names in (("train", "background\ncat\ndog\n"), ("val", "background\ndog\ncat\n")):
        folders(tmp_path / part, [[[0, 1, 2]]])
        (tmp_path / part / "labels.txt").write_text(names)
    with pytest.raises(DataError, match=r"val/labels\.txt: lists other labels than .*train/labels\.txt, or in another"):
        open_folder(tmp_path)
    (tmp_path / "val" / "labels.txt").write_text("background\ncat\ndog\n")
    assert open_folder(tmp_path)["val"].labels.names == ("background", "cat", "dog")


def test_a_subset_without_masks_stops_no_other(tmp_path):
    folders(tmp_path / "train", [[[0, 1]]])
    put(tmp_path / "test/images/a.jpg", np.zeros((1, 2, 3), np.uint8))
    (tmp_path / "test/masks").mkdir()
    subsets = find_subsets(tmp_path)
    assert subsets["train"]().labels.names == ("label_0", "label_1")
    with pytest.raises(DataError, match=r"no image has a mask of the same name"):
        subsets["test"]()


def test_other_colours_are_other_labels(tmp_path):
    """Folders that are given apart and list no labels."""
    black, red, green = ([0, 0, 0], [0, 0, 255], [0, 255, 0])  # blue first
    train = folders(tmp_path / "train", [[[black, red]], [[black, red]]])
    val = folders(tmp_path / "val", [[[black, green]], [[black, green]]])
    with pytest.raises(DataError, match=r"data differ: only in .*train: color_ff0000; only in .*val: color_00ff00"):
        find_training(DataSpec(train, val))
    assert len(find_training(DataSpec(train, folders(tmp_path / "more", [[[red, black]]]))).train.labels) == 2


def test_labels_of_a_list(tmp_path):
    root = folders(tmp_path, [[[0, 1, 255]]])
    (root / "labels.txt").write_text("# mine\nbackground\n\nred brick\n")
    subset, masks = opened(root)
    assert (subset.labels.names, subset.labels.background, masks) == (("background", "red brick"), 0, [[0, 1, 255]])


def test_labels_of_a_list_with_colours(tmp_path):
    root = folders(tmp_path, [painted(np.array([[2, 0, 1]], np.uint8))])
    (root / "labels.txt").write_text("background 0 0 0\n255 0 0 old cat\ndog 2 0 128 0\n")
    subset, masks = opened(root)
    assert (subset.labels.names, masks) == (("background", "old cat", "dog 2"), [[2, 0, 1]])


@pytest.mark.parametrize("ending", ["_mask", "_gt", "_L"])
def test_masks_with_an_ending(tmp_path, ending):
    root = folders(tmp_path, [[[0, 1]], [[1, 0]]], ending)
    put(root / "masks" / f"lost{ending}.png", np.zeros((1, 2), np.uint8))
    subset, masks = opened(root)
    assert masks == [[0, 1], [1, 0]]
    assert tuple(map(str, subset.unmatched)) == (f"mask without image: lost{ending}.png",)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_photographs_instead_of_masks(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    put(tmp_path / "images/a.jpg", noise)
    put(tmp_path / f"masks/a{suffix}", noise)
    with pytest.raises(
        DataError, match=r"4\d\d shades occur in its masks, too many or too uncertain to be labels; .* saved as JPEG"
    ):
        open_folder(tmp_path)


def test_one_value_alone(tmp_path):
    with pytest.raises(DataError, match="only the label 'label_1'; a network needs at least two"):
        open_folder(folders(tmp_path, [[[1, 1, 255]]]))


def test_nothing_fits(tmp_path):
    put(tmp_path / "images/a.jpg", np.zeros((1, 1, 3), np.uint8))
    put(tmp_path / "masks/b.png", np.zeros((1, 1), np.uint8))
    with pytest.raises(
        DataError, match=r"no image has a mask of the same name; images are called like a\.jpg, masks like b\.png"
    ):
        open_folder(tmp_path)


def test_masks_that_cannot_be_read(tmp_path):
    root = folders(tmp_path, [[[0, 1]]])
    put(root / "images/z.jpg", np.zeros((1, 2, 3), np.uint8))
    (root / "masks/z.png").write_text("no image")
    assert opened_labels(root) == ("label_0", "label_1")  # the other mask tells; checking the data tells of this one
    (root / "masks/a.png").write_text("no image")
    with pytest.raises(DataError, match="none of its 2 masks can be read"):
        open_folder(root)


def opened_labels(root):
    return open_folder(root)["default"].labels.names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\na\n", "the label 'a' is named twice"),
        ("a 1 2 3\nb 1 2 3\n", "have the same colour"),
        ("a\n", "only the"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, content, message):
    root = folders(tmp_path, [[[0, 1]]])
    (root / "labels.txt").write_text(content)
    with pytest.raises(DataError, match=rf"labels\.txt: .*{message}"):
        open_folder(root)
    (root / "labels.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"labels\.txt: is not UTF-8 text"):
        open_folder(root)


def test_a_label_that_is_not_listed(tmp_path):
    root = folders(tmp_path, [[[0, 1, 7]]])
    (root / "labels.txt").write_text("a\nb\n")
    subset = open_folder(root)["default"]
    with pytest.raises(DataError, match=r"mask value 7 .* add the label to labels\.txt"):
        subset.read_mask(subset.samples[0])


class TestSubsetsInside:
    """Folders of subsets in those of images and of masks."""

    def test_a_subset_without_masks_is_told_of_and_does_not_join_the_others(self, tmp_path):
        bare(tmp_path)
        for name in ("a", "b"):
            put(tmp_path / "images" / "test" / f"{name}.png", np.zeros((2, 2, 3), np.uint8))
        put(tmp_path / "images" / "loose.png", np.zeros((2, 2, 3), np.uint8))
        put(tmp_path / "masks" / "old" / "c.png", np.zeros((2, 2), np.uint8))
        subsets = open_folder(tmp_path)
        assert {name: len(subset) for name, subset in subsets.items()} == {"train": 2, "val": 1}
        assert tuple(map(str, subsets["train"].unmatched)) == (
            "1 image of no subset with masks: ../loose.png",
            "2 images of no subset with masks: ../test",
            "1 mask of no subset with images: ../old",
        )
        assert subsets["val"].unmatched == ()
        assert subsets["val"].root == tmp_path / "images" / "val"

    def test_what_both_sides_have_is_a_subset(self, tmp_path):
        bare(tmp_path)
        for part in ("images", "masks"):
            shutil.copytree(tmp_path / part / "val", tmp_path / part / "Extra")
            (tmp_path / part / "train").rename(tmp_path / part / ("Train" if part == "masks" else "training"))
        subsets = open_folder(tmp_path)
        assert {name: len(subset) for name, subset in subsets.items()} == {"train": 2, "val": 1, "extra": 1}

    def test_folders_that_are_called_like_no_subset_are_none(self, tmp_path):
        bare(tmp_path, "images/{}_side", "masks/{}_side")
        assert {name: len(subset) for name, subset in open_folder(tmp_path).items()} == {"default": 3}

    def test_two_folders_for_one_subset(self, tmp_path):
        bare(tmp_path)
        for part in ("images", "masks"):
            shutil.copytree(tmp_path / part / "val", tmp_path / part / "valid")
        with pytest.raises(DataError, match="images: the folders val and valid both are the subset val"):
            open_folder(tmp_path)


@pytest.mark.parametrize("text", ["0 background\n1 red brick\n", "# of us\n0: background\n\n1:red brick\n"])
def test_numbers_before_the_names_are_no_part_of_them(tmp_path, text):
    root = folders(tmp_path, [[[0, 1]]])
    (root / "labels.txt").write_text(text)
    assert opened_labels(root) == ("background", "red brick")


def test_numbers_with_colours(tmp_path):
    root = folders(tmp_path, [painted(np.array([[0, 1]], np.uint8))])
    (root / "labels.txt").write_text("0 background 0 0 0\n1 cat 255 0 0\n")
    subset, masks = opened(root)
    assert (subset.labels.names, masks) == (("background", "cat"), [[0, 1]])


@pytest.mark.parametrize("text", ["1 euro\n2 euro\n", "0 euro\n1 euro\n", "0\n1\n", "0 a\nb\n", "0.5 mm\n1.0 mm\n"])
def test_other_numbers_are_part_of_the_names(tmp_path, text):
    root = folders(tmp_path, [[[0, 1]]])
    (root / "labels.txt").write_text(text)
    assert opened_labels(root) == tuple(text.splitlines())
