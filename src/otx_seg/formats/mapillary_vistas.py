"""Mapillary Vistas."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from otx_seg.annotations.label_lists import labels_and_code
from otx_seg.annotations.masks import Color, MaskCode
from otx_seg.annotations.samples import Subset
from otx_seg.errors import DataError
from otx_seg.formats import DataFormat, Subsets
from otx_seg.formats.layouts.folder import listed_folders, pair_files, subset_name
from otx_seg.formats.layouts.layout_clues import files_with
from otx_seg.labels import Labels
from otx_seg.runtime.plain_files import read_json, whole_number

_IMAGES = "images"
_VERSIONS = {"v2.0": "config_v2.0.json", "v1.2": "config_v1.2.json", ".": "config.json"}
_MASKS = {"labels": 0, "instances": 8}  # folder: bits of the number of the object
_UNLABELED = "void--unlabeled"


class MapillaryVistas(DataFormat):
    """A data set as of Mapillary Vistas::

        training/images/a.jpg
        training/v2.0/labels/a.png        values of labels; or v2.0/instances/, 256 times that and an object's number
        config_v2.0.json                  the labels, in the order of the values

    v1.2 and the first edition (labels/ beside images/, config.json) are read too, v2.0 before v1.2. Labels that the
    file says are not evaluated, and void--unlabeled, are ignored.
    """

    title = "Mapillary Vistas"
    layout = f"training/{_IMAGES}/, training/v2.0/labels/ and config_v2.0.json"
    notes = (
        "also of the other editions (`config_v1.2.json`, `config.json`). Masks from `labels/`, else `instances/`. "
        'Labels with `"evaluate": false` are ignored. The panoptic files are not read'
    )

    def detects(self, root: Path) -> bool:
        configs = {path.name for path in files_with(root, ".json")} & set(_VERSIONS.values())
        return bool(configs) and any((folder / _IMAGES).is_dir() for folder in listed_folders(root))

    def subsets(self, root: Path, annotations: Path | None = None) -> Subsets:
        for version, config in _VERSIONS.items():
            if not (root / config).is_file():
                continue
            found = {}
            for folder in listed_folders(root):
                masks = next((name for name in _MASKS if (folder / version / name).is_dir()), None)
                if masks is not None:
                    found[subset_name(folder.name)] = partial(_open, root, folder, version, masks)
            if found:
                return found
        raise DataError(f"{root}: no masks that go with a config file; expected are {self.layout}")


def _open(root: Path, folder: Path, version: str, masks: str) -> Subset:
    samples, unmatched = pair_files(folder / _IMAGES, folder / version / masks)
    labels, code = _labels(root / _VERSIONS[version], _MASKS[masks])
    return Subset(folder, labels, samples, unmatched, code)


def _labels(config: Path, instance_bits: int) -> tuple[Labels, MaskCode]:
    listed: dict[str, Color | None] = {}
    void = []
    content = read_json(config)
    try:
        for entry in content["labels"]:
            name = str(entry["name"])
            red, green, blue = (whole_number(part, 0, 255, "a colour's channel") for part in entry["color"])
            if name in listed:
                raise DataError(f"{config}: the label {name!r} occurs twice; give each its own name")
            listed[name] = (red, green, blue)
            if name == _UNLABELED or not entry.get("evaluate", True):
                void.append(name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        expected = '{"labels": [{"name": "road", "color": [128, 64, 128], "evaluate": true}]}'
        raise DataError(f"{config}: unusable ({type(error).__name__}: {error}); expected is {expected}") from error
    return labels_and_code(listed, config, void, by_value=True, instance_bits=instance_bits)
