"""Data sets without a file of labels: those that the format stands for."""

import cv2
import numpy as np
import pytest
from data_layouts import by_datumaro, put
from PIL import Image

from otx_seg.datasets import open_folder
from otx_seg.errors import DataError


def only(root):
    (subset,) = open_folder(root).values()
    return subset, subset.read_mask(subset.samples[0])


def cityscapes(root, ending, values):
    put(root / "leftImg8bit/train/bochum/bochum_000_leftImg8bit.png", np.zeros((2, len(values), 3), np.uint8))
    put(root / f"gtFine/train/bochum/bochum_000_gtFine_{ending}.png", np.array([values] * 2, np.uint8))


def test_cityscapes_ids_are_the_labels_of_the_benchmark(tmp_path):
    # unlabeled, road, parking, sidewalk, license plate's neighbour bicycle, caravan
    cityscapes(tmp_path, "labelIds", [0, 7, 9, 8, 33, 29])
    subset, mask = only(tmp_path)
    assert subset.labels.names[:3] == ("road", "sidewalk", "building")
    assert (len(subset.labels), subset.labels.names[18], subset.labels.background) == (19, "bicycle", None)
    assert mask[0].tolist() == [255, 0, 255, 1, 18, 255]


def test_cityscapes_train_ids_mean_the_same_and_come_first(tmp_path):
    cityscapes(tmp_path, "labelIds", [7, 7, 7])
    cityscapes(tmp_path, "labelTrainIds", [0, 18, 255])
    subset, mask = only(tmp_path)
    assert (len(subset.labels), subset.labels.names[18]) == (19, "bicycle")
    assert mask[0].tolist() == [0, 18, 255]


def test_kitti_has_the_labels_of_cityscapes(tmp_path):
    put(tmp_path / "training/image_2/a.png", np.zeros((1, 3, 3), np.uint8))
    put(tmp_path / "training/semantic/a.png", np.array([[4, 26, 33]], np.uint8))
    subset, mask = only(tmp_path)
    assert [subset.labels.names[index] for index in mask[0, 1:]] == ["car", "bicycle"]
    assert (len(subset.labels), mask[0, 0]) == (19, 255)


@pytest.fixture
def voc(tmp_path):
    """Palette masks with Pascal VOC's own palette, as in its archives."""
    from otx_seg.labels import default_colors

    put(tmp_path / "JPEGImages/2007_01.jpg", np.zeros((1, 4, 3), np.uint8))
    mask = Image.fromarray(np.array([[0, 1, 20, 255]], np.uint8), "P")
    mask.putpalette([part for color in default_colors(256) for part in color])
    (tmp_path / "SegmentationClass").mkdir()
    mask.save(tmp_path / "SegmentationClass/2007_01.png")
    for name, content in {"train": "2007_01\n", "trainval": "2007_01\n2007_02\n"}.items():
        path = tmp_path / f"ImageSets/Segmentation/{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_voc_has_twenty_objects_and_a_background_and_ignores_borders(voc):
    subset = open_folder(voc)["train"]
    assert (len(subset.labels), subset.labels.background, subset.labels.names[20]) == (21, 0, "tvmonitor")
    assert subset.read_mask(subset.samples[0])[0].tolist() == [0, 1, 20, 255]


def test_names_of_a_benchmark_are_taken_only_where_no_list_lies_there(voc, messages):
    (voc / "class_names.txt").write_text("_background_\nbus\n")
    put(voc / "SegmentationClass/2007_01.png", np.array([[0, 1, 1, 255]], np.uint8))
    subset = open_folder(voc)["train"]
    assert (subset.labels.names, subset.labels.background) == (("_background_", "bus"), 0)
    assert "taken to be" not in messages.text
    (voc / "class_names.txt").unlink()
    open_folder(voc)
    assert messages.text.count("no file lists the labels, so they are taken to be those of Pascal VOC") == 1


def test_voc_without_lists_of_images_as_labelme_writes_it(voc):
    import shutil

    shutil.rmtree(voc / "ImageSets")
    assert len(open_folder(voc)["default"]) == 1
    (voc / "SegmentationClass").rename(voc / "SegmentationClassPNG")
    (voc / "SegmentationClass").mkdir()
    (voc / "SegmentationClass/2007_01.npy").write_bytes(b"")
    (voc / "SegmentationClassVisualization").mkdir()
    subset = open_folder(voc)["default"]
    assert subset.read_mask(subset.samples[0])[0].tolist() == [0, 1, 20, 255]


def test_bdd100k_in_numbers_and_in_colours(tmp_path, messages):
    put(tmp_path / "images/10k/train/a.jpg", np.zeros((1, 3, 3), np.uint8))
    put(
        tmp_path / "labels/sem_seg/colormaps/train/a.png",
        np.array([[[128, 64, 128], [142, 0, 0], [0, 0, 0]]], np.uint8),
    )
    subset, mask = only(tmp_path)
    assert (len(subset.labels), subset.labels.names[13], mask[0].tolist()) == (19, "car", [0, 13, 255])
    put(tmp_path / "labels/sem_seg/masks/train/a.png", np.array([[1, 18, 255]], np.uint8))
    assert only(tmp_path)[1][0].tolist() == [1, 18, 255]
    assert "taken to be those of Cityscapes" in messages.text


def test_loveda_ignores_what_has_no_data(tmp_path, messages):
    for place, values in (("Urban", [0, 1, 7]), ("Rural", [3, 2, 0])):
        put(tmp_path / f"Train/{place}/images_png/a{place}.png", np.zeros((1, 3, 3), np.uint8))
        put(tmp_path / f"Train/{place}/masks_png/a{place}.png", np.array([values], np.uint8))
    put(tmp_path / "Test/Urban/images_png/t.png", np.zeros((1, 3, 3), np.uint8))
    (subset,) = open_folder(tmp_path).values()
    assert (subset.labels.names[0], subset.labels.background, len(subset.labels)) == ("background", 0, 7)
    assert [subset.read_mask(sample)[0].tolist() for sample in subset.samples] == [[2, 1, 255], [255, 0, 6]]
    assert "taken to be those of LoveDA (no-data, background, building, ...)" in messages.text


def test_voc_in_colours_ignores_the_colour_of_borders(voc):
    put(voc / "SegmentationClass/2007_01.png", np.array([[[0, 0, 128], [192, 224, 224]]], np.uint8))  # blue first
    subset = open_folder(voc)["train"]
    assert subset.read_mask(subset.samples[0])[0].tolist() == [1, 255]


def test_voc_lists_images_that_are_not_there(voc):
    assert tuple(map(str, open_folder(voc)["trainval"].unmatched)) == (
        "named in trainval.txt, but without image: 2007_02",
    )
    (voc / "ImageSets/Segmentation/val.txt").write_text("2007_01\n")
    assert set(open_folder(voc)) == {"train", "val"}  # trainval is both of them once more


def test_voc_with_boxes_alone(voc):
    (voc / "SegmentationClass").rename(voc / "Annotations")
    with pytest.raises(DataError, match="no folder SegmentationClass: this Pascal VOC data set has no masks"):
        open_folder(voc)


def test_a_broken_labelmap_names_its_line(voc):
    (voc / "labelmap.txt").write_text("background:0,0,0::\ncat:300,0,0::\n")
    with pytest.raises(DataError, match=r"labelmap\.txt: 'cat:300,0,0::' is no label; expected is name:red,green"):
        open_folder(voc)


@pytest.fixture(scope="module")
def camvid_written(tmp_path_factory):
    root = tmp_path_factory.mktemp("camvid")
    by_datumaro("camvid")(root)
    (root / "label_colors.txt").unlink()
    return root


def test_camvid_in_its_own_colours_ignores_void(camvid_written):
    root = camvid_written
    for path in root.glob("*annot/*.png"):
        put(path, np.array([[[0, 0, 0], [128, 0, 64], [128, 64, 128]]], np.uint8))  # void, car, road; blue first
    subset = open_folder(root)["train"]
    mask = subset.read_mask(subset.samples[0])
    assert "Void" not in subset.labels.names
    assert [subset.labels.names[index] for index in mask[0, 1:]] == ["Car", "Road"]
    assert (len(subset.labels), mask[0, 0]) == (31, 255)


def test_each_number_is_a_label_of_camvid_without_a_list(camvid_written, messages):
    for path in camvid_written.glob("*annot/*.png"):
        put(path, np.array([[0, 1, 11]] if "train" in str(path) else [[0, 0, 3]], np.uint8))
    subsets = open_folder(camvid_written)
    assert {subset.labels.names for subset in subsets.values()} == {("label_0", "label_1", "label_3", "label_11")}
    assert "nothing names the labels" in messages.text


def test_camvid_lists_made_for_another_place_and_names_with_spaces(tmp_path):
    by_datumaro("camvid")(tmp_path)
    (tmp_path / "train/im0.png").rename(tmp_path / "train/im 0.png")
    (tmp_path / "train.txt").write_text(
        '"/train/im 0.png" "trainannot/im0.png"\n/SegNet/CamVid/train/im1.png /SegNet/CamVid/trainannot/im1.png\n'
        "/train/lost.png /trainannot/lost.png\n"
    )
    subset = open_folder(tmp_path)["train"]
    assert [sample.name for sample in subset.samples] == ["train/im 0.png", "train/im1.png"]
    assert tuple(map(str, subset.unmatched)) == ("named in train.txt, but not there: train/lost.png",)


@pytest.mark.parametrize(
    ("images", "masks", "car", "count"), [("RGB", "GT", "Car", 13), ("RGBLeft", "GTLeft", "Truck", 22)]
)
def test_synthia_has_labels_of_its_own_and_ignores_void(tmp_path, images, masks, car, count):
    put(tmp_path / images / "a.png", np.zeros((1, 2, 3), np.uint8))
    colour = {"Car": [128, 0, 64], "Truck": [70, 0, 0]}[car]
    put(tmp_path / masks / "a.png", np.array([[[0, 0, 0], colour]], np.uint8))
    subset, mask = only(tmp_path)
    assert (len(subset.labels), mask[0, 0], subset.labels.names[mask[0, 1]]) == (count, 255, car)


def test_mapillary_ignores_what_is_not_evaluated(tmp_path):
    put(tmp_path / "training/images/a.jpg", np.zeros((1, 3, 3), np.uint8))
    put(tmp_path / "training/v2.0/labels/a.png", np.array([[0, 1, 2]], np.uint8))
    entry = '{{"name": "{}", "color": [{}, 0, 0], "evaluate": {}}}'
    entries = [entry.format("bird", 1, "true"), entry.format("void--ego", 2, "false"), entry.format("sky", 3, "true")]
    (tmp_path / "config_v2.0.json").write_text(f'{{"labels": [{", ".join(entries)}]}}')
    subset, mask = only(tmp_path)
    assert (subset.labels.names, mask[0].tolist()) == (("bird", "sky"), [0, 255, 1])
    (tmp_path / "config_v2.0.json").write_text('{"labels": [{"colour": 1}]}')
    with pytest.raises(DataError, match=r"config_v2\.0\.json: unusable \(KeyError: 'name'\); expected is"):
        open_folder(tmp_path)


def test_ade20k_pixels_of_no_object_are_ignored_and_unknown_classes_refused(written, tmp_path):
    import shutil

    root = tmp_path / "ade"
    shutil.copytree(written("ade20k2020"), root)
    mask_file = root / "val/street/corner/im2_seg.png"
    stored = cv2.imread(str(mask_file))
    stored[0] = 0
    put(mask_file, stored)
    subset = open_folder(root)["val"]
    assert (subset.read_mask(subset.samples[0])[0] == 255).all()
    stored[0] = (9, 9, 0)
    put(mask_file, stored)
    with pytest.raises(DataError, match=r"im2_seg\.png: class 9 \(24 pixels\) is not described"):
        subset.read_mask(subset.samples[0])
    (root / "val/street/corner/im2.json").write_text("{}")
    with pytest.raises(DataError, match=r"im2\.json: unusable \(KeyError: 'annotation'\)"):
        open_folder(root)
