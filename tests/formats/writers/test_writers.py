"""What each writer writes is read again as the same masks, by the readers here and by the tools' own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePath

import cv2
import numpy as np
import pytest
import yaml

from otx_seg.datasets import Subset, open_folder
from otx_seg.datasets.opening import looks_like
from otx_seg.errors import UsageError
from otx_seg.formats.writers import writer_of
from otx_seg.inference.pre_annotations import PreAnnotations
from otx_seg.inference.predict_settings import PredictSettings, annotation_formats
from otx_seg.labels import Labels, background_index, default_colors

NAMES = ("background", "red brick", "pole/wire", "größe, m", "<sky> & 'sea'")
FORMATS = annotation_formats()
READ_AS = {"label-studio": "label_studio", "labelme": "labelme_json", "yolo": "yolo_segmentation"}
SIZE = (48, 64)
Write = Callable[..., Path]


def labels_called(*names: str) -> Labels:
    return Labels(names, default_colors(len(names)), background_index(names))


def masks(count: int = 3) -> dict[str, np.ndarray]:
    """Regions of all shapes and sizes, with holes, single pixels and lines; the last image is all background."""
    found = {}
    for number in range(count - 1):
        values = cv2.GaussianBlur(np.random.default_rng(number).random(SIZE).astype(np.float32), (9, 9), 0)
        mask = np.digitize(values, np.quantile(values, [0.4, 0.6, 0.8])).astype(np.uint8)
        mask[5:25, 5:25] = 4
        mask[10:15, 10:15] = 0
        mask[12, 12] = 1
        mask[30] = 4
        found[f"sub/image {number}#ü"] = mask
    found["plain"] = np.zeros(SIZE, np.uint8)
    return found


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes masks in a format, and gives the folder."""

    def write(name: str, tolerance: float = 0.0, given: dict[str, np.ndarray] | None = None, labels=NAMES) -> Path:
        how = PredictSettings(save_as=(name,), polygon_tolerance=tolerance)
        annotations = PreAnnotations(tmp_path / "out", labels_called(*labels), how)
        for image, mask in (masks() if given is None else given).items():
            path = tmp_path / "in" / f"{image}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((*mask.shape, 3), 90, np.uint8))
            annotations.add(path, PurePath(image), mask, None)
        annotations.close()
        return tmp_path / "out" / name

    return write


def read(folder: Path) -> Subset:
    (subset,) = open_folder(folder).values()
    return subset


def found_in(subset: Subset) -> dict[str, np.ndarray]:
    return {Path(sample.name).stem: subset.read_mask(sample) for sample in subset.samples}


@pytest.mark.parametrize("name", FORMATS)
def test_without_tolerance_masks_are_read_again_exactly(write: Write, name: str) -> None:
    folder = write(name)
    assert looks_like(folder) == [READ_AS.get(name, name)]
    subset = read(folder)
    assert subset.labels.names == NAMES
    assert subset.unmatched == ()
    found = found_in(subset)
    assert found.keys() == {"plain", "sub_image 0#ü", "sub_image 1#ü"}
    for image, mask in masks().items():
        np.testing.assert_array_equal(found[image.replace("/", "_")], mask)
        assert (subset.read_image(subset.samples[0]) == 90).all()


@pytest.mark.parametrize("name", FORMATS)
def test_with_a_tolerance_masks_differ_near_borders_alone(write: Write, name: str) -> None:
    expected = {image.replace("/", "_"): mask for image, mask in masks().items()}
    found = found_in(read(write(name, 1.0)))
    wrong = {image: found[image] != mask for image, mask in expected.items()}
    assert any(each.any() for each in wrong.values()) == writer_of(name).simplifies
    for image, mask in expected.items():
        near = cv2.dilate(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.ones((3, 3)))
        assert not wrong[image][near == 0].any()
        assert wrong[image].mean() < 0.1


@pytest.mark.parametrize("name", FORMATS)
def test_labels_without_background(write: Write, name: str) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 4:] = 1
    subset = read(write(name, given={"a": mask}, labels=("cat", "dog")))
    assert subset.labels.names == ("background", "cat", "dog")
    np.testing.assert_array_equal(found_in(subset)["a"], mask + 1)


@pytest.mark.parametrize("name", FORMATS)
def test_images_are_copied_as_they_are(write: Write, name: str, tmp_path: Path) -> None:
    folder = write(name)
    copies = {path.name: path.read_bytes() for path in folder.rglob("*.png")}
    assert copies == {
        path.relative_to(tmp_path / "in").as_posix().replace("/", "_"): path.read_bytes()
        for path in (tmp_path / "in").rglob("*.png")
    }


@pytest.mark.parametrize("name", ["coco", "datumaro", "cvat"])
def test_datumaro_imports_them(write: Write, name: str) -> None:
    from datumaro.components.dataset import Dataset

    given = Dataset.import_from(str(write(name)), {"coco": "coco_instances"}.get(name, name))
    expected = {image.replace("/", "_"): mask for image, mask in masks().items()}
    assert {item.id for item in given} == expected.keys()
    for item in given:
        assert item.media.data.shape == (*SIZE, 3)
        found = np.zeros(SIZE, np.uint8)
        for thing in item.annotations:
            if thing.type.name in ("mask", "polygon"):
                found[drawn(thing)] = NAMES.index(label_name(given, thing.label))
        np.testing.assert_array_equal(found, expected[item.id])


def drawn(thing) -> np.ndarray:
    from pycocotools import mask as coco

    if thing.type.name == "mask":
        return thing.image.astype(bool)
    return coco.decode(coco.frPyObjects([thing.points], *SIZE))[:, :, 0].astype(bool)


def label_name(given, index: int) -> str:
    from datumaro.components.annotation import AnnotationType

    return given.categories()[AnnotationType.label].items[index].name


def test_pycocotools_reads_them(write: Write) -> None:
    from pycocotools.coco import COCO

    given = COCO(str(write("coco") / "annotations" / "instances_default.json"))
    assert [category["name"] for category in given.loadCats(given.getCatIds())] == [*NAMES]
    for number, mask in enumerate(masks().values(), 1):
        found = np.zeros(SIZE, np.uint8)
        for thing in given.loadAnns(given.getAnnIds(imgIds=number)):
            inside = given.annToMask(thing).astype(bool)
            assert inside.sum() == thing["area"]
            found[inside] = thing["category_id"] - 1
        np.testing.assert_array_equal(found, mask)


def test_colours_are_in_what_tools_read(write: Write) -> None:
    color = default_colors(len(NAMES))[1]
    coded = "#" + bytes(color).hex()
    described = json.loads((write("coco") / "annotations" / "instances_default.json").read_text())
    assert described["categories"][1] == {"id": 2, "name": "red brick", "supercategory": "", "color": [*color]}
    assert f"<name>red brick</name><color>{coded}</color>" in (write("cvat") / "annotations.xml").read_text()
    raw = json.loads((write("cvat") / "labels.json").read_text())
    assert raw[1] == {"name": "red brick", "color": coded, "type": "any", "attributes": []}
    assert f'value="red brick" background="{coded}"' in (write("label-studio") / "labeling_config.xml").read_text()
    settings = yaml.safe_load((write("labelme") / "labelmerc.yaml").read_text())
    assert settings["label_colors"]["red brick"] == [*color]


def test_yolo_s_description_has_the_keys_that_ultralytics_asks_for(write: Write) -> None:
    described = yaml.safe_load((write("yolo") / "data.yaml").read_text())
    assert described.keys() == {"train", "val", "nc", "names"}
    assert (described["train"], described["val"]) == ("images/train", None)


def test_label_studio_s_tasks_fit_its_interface(write: Write) -> None:
    folder = write("label-studio")
    (first, *_) = json.loads((folder / "tasks.json").read_text())
    assert first["data"]["image"] == "/data/local-files/?d=images/sub_image%200%23%C3%BC.png"
    (prediction,) = first["predictions"]
    result = prediction["result"][0]
    interface = (folder / "labeling_config.xml").read_text()
    assert f'<BrushLabels name="{result["from_name"]}" toName="{result["to_name"]}">' in interface
    assert f'<Image name="{result["to_name"]}" value="$image"' in interface
    assert result["type"] == "brushlabels"


BAD_NAMES = [
    ("label-studio", "$cat", r"'\$cat' begins with \$"),
    ("label-studio", "255 0 0 cat", "a list of names, labels.txt, cannot hold '255 0 0 cat'"),
    ("labelme", "# cat", "a list of names, labels.txt, cannot hold '# cat'"),
    ("cvat", "c" * 65, "has 65 characters; 64 are possible"),
    *((name, " cat", "' cat' begins or ends with a blank") for name in FORMATS),
    *((name, "", "the name of label 1 is empty") for name in FORMATS),
    *((name, "c\nat", "has control characters") for name in FORMATS),
]


@pytest.mark.parametrize(("name", "label", "message"), BAD_NAMES)
def test_labels_that_a_format_cannot_hold(tmp_path: Path, name: str, label: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"--save-as {name}: cannot hold the labels of the model: .*{message}"):
        PreAnnotations(tmp_path, labels_called("background", label), PredictSettings(save_as=(name,)))
    assert not [*tmp_path.iterdir()]
