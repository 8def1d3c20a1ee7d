"""One small data set, written in every format: by Datumaro where it can, else by hand."""

from __future__ import annotations

import base64
import csv
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from otx_seg.datasets import open_folder

NAMES = ("background", "cat", "dog")
COLORS = ((0, 0, 0), (255, 0, 0), (0, 128, 0))
HEIGHT, WIDTH = 16, 24
SUBSET_OF = {"im0": "train", "im1": "train", "im2": "val"}


def truth(name: str) -> NDArray[np.uint8]:
    """Label indices: a square with a hole of one pixel, a line one pixel thick, and a corner."""
    number = int(name[-1])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:12, 3 + number : 14] = 1
    mask[5, 6 + number] = 0
    mask[8] = 2
    mask[14:, 20:] = 2
    return mask


def image(name: str) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), 40 * int(name[-1]) + 10, np.uint8)


def put(path: Path, pixels: NDArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def painted(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """In the labels' colours, blue first."""
    return np.array(COLORS, np.uint8)[mask][:, :, ::-1]


def by_datumaro(exporter: str, **options: object) -> Callable[[Path], None]:
    """What writes the data set with one of Datumaro's exporters."""

    def write(root: Path) -> None:
        from datumaro.components.annotation import AnnotationType, LabelCategories, Mask, MaskCategories
        from datumaro.components.dataset import Dataset
        from datumaro.components.dataset_base import DatasetItem
        from datumaro.components.media import Image

        def item(name: str) -> DatasetItem:
            masks = [Mask((truth(name) == label).astype(np.uint8), label=label, id=label + 1) for label in range(3)]
            media = Image.from_numpy(image(name))
            return DatasetItem(name, subset=SUBSET_OF[name], media=media, annotations=masks)

        categories = {
            AnnotationType.label: LabelCategories.from_iterable(NAMES),
            AnnotationType.mask: MaskCategories(dict(enumerate(COLORS))),
        }
        dataset = Dataset.from_iterable([item(name) for name in SUBSET_OF], categories=categories)
        dataset.export(str(root), exporter, save_media=True, image_ext=".png", **options)

    return write


def label_file(root: Path) -> None:
    lines = (f"{red} {green} {blue} {name}" for name, (red, green, blue) in zip(NAMES, COLORS, strict=True))
    (root / "label_colors.txt").write_text("# red green blue name\n" + "\n".join(lines) + "\n")


def meta(folder: Path) -> None:
    described = {"label_map": {str(index): name for index, name in enumerate(NAMES)}}
    (folder / "dataset_meta.json").write_text(json.dumps(described))


def common(root: Path) -> None:
    for name, subset in SUBSET_OF.items():
        put(root / subset / "images" / f"{name}.png", image(name))
        put(root / subset / "masks" / f"{name}.png", truth(name))
    meta(root)


def common_in_the_root(root: Path) -> None:
    for name in SUBSET_OF:
        put(root / "images" / f"{name}.png", image(name))
        put(root / "masks" / f"{name}.png", truth(name))
    meta(root)


def bare(root: Path, images: str = "images/{}", masks: str = "masks/{}", listed: bool = True) -> None:
    for name, subset in SUBSET_OF.items():
        put(root / images.format(subset) / f"{name}.png", image(name))
        put(root / masks.format(subset) / f"{name}.png", truth(name))
    if listed:
        (root / "labels.txt").write_text("\n".join(NAMES) + "\n")


def side_by_side(root: Path, folder: str, ending: str = "_mask") -> None:
    for name, subset in SUBSET_OF.items():
        put(root / folder.format(subset) / f"{name}.png", image(name))
        put(root / folder.format(subset) / f"{name}{ending}.png", truth(name))
    (root / "labels.txt").write_text("\n".join(NAMES) + "\n")


def coco_files(root: Path, folder: Path) -> dict[str, Path]:
    """A COCO file in `folder` for each subset of the data in `root`, by its name; file names in it start at `root`."""
    from pycocotools import mask as tool

    files = {}
    for name, subset in open_folder(root).items():
        content: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
        content["categories"] = [{"id": index, "name": label} for index, label in enumerate(subset.labels.names)]
        for number, sample in enumerate(subset.samples):
            mask = subset.read_mask(sample)
            content["images"].append({"id": number, "file_name": f"{name}/images/{sample.name}"})
            for label in np.unique(mask).tolist():
                code = tool.encode(np.asfortranarray(mask == label))
                segmentation = {"counts": code["counts"].decode(), "size": code["size"]}
                content["annotations"].append(
                    {"id": label, "image_id": number, "category_id": label, "segmentation": segmentation, "iscrowd": 0}
                )
        files[name] = folder / f"{name}.json"
        files[name].write_text(json.dumps(content))
    return files


def ade20k(root: Path, edition: int) -> None:
    """Background is an object like the others, since ADE20K has none."""
    for name, subset in SUBSET_OF.items():
        folder = root / subset / "street" / "corner"
        put(folder / f"{name}.jpg", image(name))
        mask = truth(name)
        classes = np.array([300, 7, 2000])[mask]
        # blue: objects 1, 2, 3 in the order of their shades; green and red: classes
        coded = np.stack([mask * 40 + 20, classes % 256, classes // 256 * 10], axis=2).astype(np.uint8)
        put(folder / f"{name}_seg.png", coded)
        put(folder / f"{name}_parts_1.png", coded)
        objects = [(1, 300, "background", 0), (2, 7, "cat", 0), (3, 2000, "dog", 0), (4, 9, "ear", 1)]
        if edition == 2017:
            lines = (f'{number:03} # {level} # 0 # x # {label} # ""' for number, _, label, level in objects)
            (folder / f"{name}_atr.txt").write_text("\n".join(lines) + "\n")
        else:
            described = [
                {"id": number, "name_ndx": index, "raw_name": label, "parts": {"part_level": level}}
                for number, index, label, level in objects
            ]
            (folder / f"{name}.json").write_text(json.dumps({"annotation": {"object": described}}))
            put(folder / name / f"instance_000_{name}.png", mask)


def mapillary(root: Path, masks: str = "v2.0/labels", config: str = "config_v2.0.json") -> None:
    for name, subset in SUBSET_OF.items():
        folder = root / {"train": "training", "val": "validation"}[subset]
        put(folder / "images" / f"{name}.jpg", image(name))
        values = truth(name).astype(np.uint16) * 256 + 3 if masks.endswith("instances") else truth(name)
        put(folder / masks / f"{name}.png", values)
    labels = [{"name": name, "color": color, "evaluate": True} for name, color in zip(NAMES, COLORS, strict=True)]
    unlabeled = {"name": "void--unlabeled", "color": (0, 0, 0), "evaluate": False}
    (root / config).write_text(json.dumps({"labels": [*labels, unlabeled]}))


def synthia(root: Path, images: str, masks: str) -> None:
    for name in SUBSET_OF:
        put(root / images / f"{name}.png", image(name))
        put(root / masks / f"{name}.png", painted(truth(name)))
    label_file(root)


def kitti_instances(root: Path) -> None:
    by_datumaro("kitti_segmentation")(root)
    for folder in root.glob("*/semantic"):
        folder.rename(folder.with_name("left_out"))


def boxes(name: str) -> list[tuple[str, tuple[int, int, int, int]]]:
    """`truth` as boxes (left, top, right, bottom), each painted over those before it: cat, background, dog, dog."""
    number = int(name[-1])
    return [
        ("cat", (3 + number, 2, 14, 12)),
        ("background", (6 + number, 5, 7 + number, 6)),
        ("dog", (0, 8, WIDTH, 9)),
        ("dog", (20, 14, WIDTH, HEIGHT)),
    ]


def corners(box: tuple[int, int, int, int]) -> list[list[int]]:
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def corner_pixels(box: tuple[int, int, int, int]) -> list[list[int]]:
    """The pixels in the corners of a box, for tools whose polygons include their border."""
    left, top, right, bottom = box
    return corners((left, top, right - 1, bottom - 1))


def base64_png(mask: NDArray) -> bytes:
    return base64.b64encode(cv2.imencode(".png", mask.astype(np.uint8))[1].tobytes())


def yolo(root: Path, images: str, names: object = NAMES, texts: str | None = None) -> None:
    for name, subset in SUBSET_OF.items():
        put(root / images.format(subset) / f"{name}.png", image(name))
        lines = (
            " ".join(map(str, [NAMES.index(label), *(np.array(corners(box)) / (WIDTH, HEIGHT)).ravel().tolist()]))
            for label, box in boxes(name)
        )
        path = root / (texts or images.replace("images", "labels")).format(subset) / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines))
    described = {"path": "/content/datasets/x", "train": images.format("train"), "val": images.format("val")}
    described |= {"nc": 3, "names": list(names) if isinstance(names, tuple) else names}
    (root / "data.yaml").write_text(yaml.safe_dump(described))


def labelme_json(root: Path, folder: str = "{}") -> None:
    for name, subset in SUBSET_OF.items():
        place = root / folder.format(subset)
        put(place / f"{name}.png", image(name))
        (cat, around), (background, pixel), (dog, line), (_, corner) = boxes(name)
        line_mask = base64_png(np.ones((1, WIDTH))).decode()
        shapes = [
            {"label": cat, "points": corner_pixels(around), "shape_type": "polygon"},
            {"label": background, "points": corner_pixels(pixel)[2::-2], "shape_type": "rectangle"},
            {"label": dog, "points": [[0, line[1]], [WIDTH - 1, line[1]]], "shape_type": "mask", "mask": line_mask},
            {"label": dog, "points": corner_pixels(corner)},
        ]
        content = {"version": "5.2.1", "flags": {}, "shapes": shapes, "imagePath": f"{name}.png", "imageData": None}
        content |= {"imageHeight": HEIGHT, "imageWidth": WIDTH}
        (place / f"{name}.json").write_text(json.dumps(content))


def brush_code(mask: NDArray) -> list[int]:
    """As Label Studio's brush writes it: runs of values of red, green, blue and alpha."""
    values = np.repeat(mask.astype(np.uint8).ravel() * 255, 4)
    ends = [*(np.flatnonzero(np.diff(values)) + 1).tolist(), values.size]
    bits = f"{values.size:032b}{7:05b}{2:04b}{4:04b}{9:04b}{15:04b}"
    start = 0
    for end in ends:
        if end - start <= 8:  # value by value
            bits += f"0{0:02b}{end - start - 1:03b}" + "".join(f"{value:08b}" for value in values[start:end])
        else:
            bits += f"1{3:02b}{end - start - 1:016b}{values[start]:08b}"
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def label_studio(root: Path, shortened: bool = False) -> None:
    for subset in ("train", "val"):
        tasks = []
        for name in (name for name in SUBSET_OF if SUBSET_OF[name] == subset):
            put(root / subset / "images" / f"{name}.png", image(name))
            (cat, around), (background, pixel), (dog, _), _ = boxes(name)
            left, top, right, bottom = np.array(around) / (WIDTH, HEIGHT, WIDTH, HEIGHT) * 100
            box = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
            points = (np.array(corners(pixel)) / (WIDTH, HEIGHT) * 100).tolist()
            drawn = truth(name) == 2
            values = [
                {**box, "rectanglelabels": [cat]},
                {"points": points, "closed": True, "polygonlabels": [background]},
                {"format": "rle", "rle": brush_code(drawn), "brushlabels": [dog]},
            ]
            size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
            where = f"/data/upload/1/0a1b2c3d-{name}.png"
            if shortened:
                tasks.append({"id": 1, "image": where, "tag": [{**size, **value} for value in values], "annotator": 1})
                continue
            results = [{"id": str(place), **size, "value": value} for place, value in enumerate(values)]
            annotations = [
                {"id": 1, "result": [], "was_cancelled": False},
                {"id": 2, "result": results, "was_cancelled": False, "ground_truth": False},
                {"id": 3, "result": [], "was_cancelled": True},
            ]
            tasks.append({"id": 1, "annotations": annotations, "data": {"image": where}, "predictions": []})
        (root / subset / "project-1-at-2023-01-01.json").write_text(json.dumps(tasks))


def label_studio_masks(root: Path) -> None:
    for name, subset in SUBSET_OF.items():
        number = int(name[-1])
        put(root / subset / name / f"{number}.png", image(name))
        for label in (1, 2):
            file = f"task-{number}-annotation-8-by-1-tag-{NAMES[label]}-0.png"
            put(root / subset / "masks" / file, (truth(name) == label).astype(np.uint8) * 255)


def via(root: Path, kind: str) -> None:
    for subset in ("train", "val"):
        entries = {}
        for name in (name for name in SUBSET_OF if SUBSET_OF[name] == subset):
            put(root / subset / f"{name}.png", image(name))
            regions = []
            for place, (label, box) in enumerate(boxes(name)):
                left, top, right, bottom = box
                rect = {"name": "rect", "x": left, "y": top, "width": right - left, "height": bottom - top}
                xs, ys = zip(*corners(box), strict=True)
                polygon = {"name": "polygon", "all_points_x": list(xs), "all_points_y": list(ys)}
                attributes = {"id": str(place), "class": {label: True} if kind == "project" else label}
                regions.append({"shape_attributes": (rect, polygon)[place % 2], "region_attributes": attributes})
            numbered = {str(place): region for place, region in enumerate(regions)}
            entry = {"filename": f"{name}.png", "size": 99, "regions": numbered if kind == "first" else regions}
            entries[f"{name}.png99"] = {**entry, "file_attributes": {}}
        if kind == "csv":
            columns = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
            with (root / subset / "via_export_csv.csv").open("w", newline="") as file:
                table = csv.writer(file)
                table.writerow([*columns, "region_shape_attributes", "region_attributes"])
                for entry in entries.values():
                    for place, region in enumerate(entry["regions"]):
                        cells = (json.dumps(region[f"{part}_attributes"]) for part in ("shape", "region"))
                        table.writerow([entry["filename"], 99, "{}", 4, place, *cells])
            continue
        content = {"_via_settings": {}, "_via_img_metadata": entries} if kind == "project" else entries
        (root / subset / "via_project.json").write_text(json.dumps(content))


def supervisely(root: Path) -> None:
    classes = [
        {"title": name, "shape": "any", "color": "#{:02x}{:02X}{:02x}".format(*color)}
        for name, color in zip(NAMES, COLORS, strict=True)
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.json").write_text(json.dumps({"classes": classes, "tags": []}))
    for name, subset in SUBSET_OF.items():
        put(root / subset / "img" / f"{name}.png", image(name))
        (cat, around), (_, pixel), (dog, (left, top, right, bottom)), (_, (x, y, *_)) = boxes(name)
        bitmap = base64.b64encode(zlib.compress(base64.b64decode(base64_png(np.ones((bottom - top, right - left))))))
        corner = [[x, y], [WIDTH - 1, HEIGHT - 1]]
        objects = [
            {
                "classTitle": cat,
                "geometryType": "polygon",
                "points": {"exterior": corner_pixels(around), "interior": [corner_pixels(pixel)]},
            },
            {"classTitle": dog, "geometryType": "bitmap", "bitmap": {"data": bitmap.decode(), "origin": [left, top]}},
            {"classTitle": dog, "geometryType": "rectangle", "points": {"exterior": corner, "interior": []}},
        ]
        path = root / subset / "ann" / f"{name}.png.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects, "tags": []}))


WRITERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "common": ("common_semantic_segmentation", common),
    "common in the root": ("common_semantic_segmentation", common_in_the_root),
    "voc in colours": ("voc", by_datumaro("voc_segmentation")),
    "voc in numbers": ("voc", by_datumaro("voc_segmentation", apply_colormap=False)),
    "cityscapes": ("cityscapes", by_datumaro("cityscapes")),
    "camvid": ("camvid", by_datumaro("camvid")),
    "camvid in numbers": ("camvid", by_datumaro("camvid", apply_colormap=False)),
    "kitti": ("kitti", by_datumaro("kitti_segmentation")),
    "kitti instances": ("kitti", kitti_instances),
    "coco": ("coco", by_datumaro("coco_instances")),
    "cvat": ("cvat", by_datumaro("cvat")),
    "labelme": ("labelme", by_datumaro("label_me")),
    "datumaro": ("datumaro", by_datumaro("datumaro")),
    "yolo": ("yolo_segmentation", lambda root: yolo(root, "images/{}")),
    "yolo, subsets first": ("yolo_segmentation", lambda root: yolo(root, "{}/images", dict(enumerate(NAMES)))),
    "labelme json": ("labelme_json", lambda root: labelme_json(root, "batch 1")),
    "labelme json in subsets": ("labelme_json", labelme_json),
    "label studio": ("label_studio", label_studio),
    "label studio, shortened": ("label_studio", lambda root: label_studio(root, shortened=True)),
    "label studio in masks": ("label_studio_masks", label_studio_masks),
    "via": ("via", lambda root: via(root, "project")),
    "via, exported": ("via", lambda root: via(root, "export")),
    "via, first edition": ("via", lambda root: via(root, "first")),
    "via in a table": ("via", lambda root: via(root, "csv")),
    "supervisely": ("supervisely", supervisely),
    "ade20k2017": ("ade20k2017", lambda root: ade20k(root, 2017)),
    "ade20k2020": ("ade20k2020", lambda root: ade20k(root, 2020)),
    "mapillary": ("mapillary_vistas", mapillary),
    "mapillary instances": ("mapillary_vistas", lambda root: mapillary(root, "v1.2/instances", "config_v1.2.json")),
    "mapillary, first edition": ("mapillary_vistas", lambda root: mapillary(root, "labels", "config.json")),
    "synthia rand": ("synthia", lambda root: synthia(root, "RGB", "GT")),
    "synthia rand, new": ("synthia", lambda root: synthia(root, "RGB", "GT/COLOR")),
    "synthia sf": ("synthia", lambda root: synthia(root, "RGBLeft", "GTLeft")),
    "synthia al": ("synthia", lambda root: synthia(root, "RGB", "SemSeg")),
    "folders": ("image_and_mask_folders", lambda root: bare(root, "img", "annotations")),
    "folders in subsets": ("image_and_mask_folders", lambda root: bare(root, "{}/images", "{}/labels")),
    "subsets in folders": ("image_and_mask_folders", lambda root: bare(root)),
    "img_dir and ann_dir": ("image_and_mask_folders", lambda root: bare(root, "img_dir/{}", "ann_dir/{}")),
    "train and train_labels": ("image_and_mask_folders", lambda root: bare(root, "{}", "{}_labels")),
    "train_images and train_masks": ("image_and_mask_folders", lambda root: bare(root, "{}_images", "{}-Masks")),
    "subsets deep below": (
        "image_and_mask_folders",
        lambda root: bare(root, "TrainVal_images/{}_images", "TrainVal_parsing/x/{}_segmentations"),
    ),
    "bdd100k": ("bdd100k", lambda root: bare(root, "images/10k/{}", "labels/sem_seg/masks/{}")),
    "loveda": ("loveda", lambda root: bare(root, "{}/Rural/images_png", "{}/Rural/masks_png")),
    "side by side": ("images_beside_masks", lambda root: side_by_side(root, ".")),
    "side by side below": ("images_beside_masks", lambda root: side_by_side(root, "patients/of {}", "_seg")),
    "side by side in subsets": ("images_beside_masks", lambda root: side_by_side(root, "{}")),
}
"""By what is written: the format it is to be taken for, and what writes it into an empty folder."""

OF_ONE_LABEL = {"folder_per_image", "mvtec_ad"}
"""Formats whose images show one label beside background, so that they cannot hold this data set."""

UNDIVIDED = ("common in the root", "synthia rand", "synthia rand, new", "synthia sf", "synthia al", "folders")
UNDIVIDED += ("side by side", "side by side below", "labelme json")
"""The layouts without subsets."""
