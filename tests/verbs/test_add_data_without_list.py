"""Masks without a list of labels, added to a workspace: their values are those of its labels, or they are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from otx_seg.datasets import DEFAULT_SEED, DataSpec, open_training
from otx_seg.errors import DataError
from otx_seg.inputs.data import training_spec
from otx_seg.inputs.resolver import open_resolver
from otx_seg.verbs.add_data import add_data
from otx_seg.verbs.build import build
from otx_seg.verbs.check import check

NAMES = ("background", "road", "car")
COLORS = ((0, 0, 0), (0, 128, 192), (192, 0, 0))
GREEN = (0, 200, 0)


def write(root: Path, seeds: range, colors: Any = COLORS, listed: bool = True, use: int = 3) -> Path:
    """Images with colour masks, or masks of values where there are no colours, that show the first `use` labels."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        mask = random.integers(0, use, (4, 4), np.uint8).repeat(8, 0).repeat(8, 1)
        stored = mask if colors is None else np.array(colors, np.uint8)[mask]
        for folder, pixels in (("images", random.integers(0, 255, (32, 32, 3), np.uint8)), ("masks", stored)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / folder / f"{seed}.png")
    if listed:
        meta: dict[str, Any] = {"label_map": {str(index): name for index, name in enumerate(NAMES)}}
        meta |= {} if colors is None else {"segmentation_colors": list(map(list, colors))}
        (root / "dataset_meta.json").write_text(json.dumps(meta))
    return root


@pytest.fixture
def workspace(here: Path) -> Path:
    build(write(Path("first"), range(6)), workspace="w")
    return Path("w")


def opened() -> Any:
    return open_training(training_spec(open_resolver("w"), DataSpec()), DEFAULT_SEED)


def mask_of(name: str) -> np.ndarray:
    train = opened().train
    (sample,) = [one for one in train.samples if one.name == name]
    return train.read_mask(sample)


def test_colours_of_the_workspace_get_its_names(workspace: Path, messages: Any) -> None:
    write(Path("second"), range(10, 14), listed=False)
    added = add_data("second", workspace="w")
    assert (added.new, added.new_labels) == (4, {})
    told = [line for line in messages.text.splitlines() if "label" in line and "second" in line]
    assert len(told) == 1
    assert "second: masks have no list of labels; their colours are those of the workspace's labels: " in told[0]
    assert "(0, 128, 192) road" in told[0]
    train = opened().train
    assert train.labels.names == NAMES
    stored = cv2.imread("second/masks/10.png")[:, :, ::-1]
    assert (np.array(COLORS)[mask_of("second/images/10.png")] == stored).all()
    assert "nothing names the labels" not in messages.text
    assert check(workspace="w").usable_for == "training"


def test_it_is_recorded(workspace: Path, tmp_path: Path) -> None:
    write(Path("second"), range(10, 14), listed=False)
    add_data("second", workspace="w")
    entry = yaml.safe_load(Path("w/data.yaml").read_text())["data"]["added"]["second"]
    assert entry["label-map"] == {"color_000000": "background", "color_0080c0": "road", "color_c00000": "car"}
    spec = training_spec(open_resolver("w"), DataSpec())
    again = DataSpec.from_plain(json.loads(json.dumps(spec.as_plain())))
    assert again == spec
    assert again.added[0].label_map is not None
    assert again.added[0].label_map.some_labels


def test_colours_may_come_and_go_later(workspace: Path) -> None:
    write(Path("second"), range(10, 14), listed=False, use=2)
    add_data("second", workspace="w")
    shutil.rmtree("second")
    write(Path("second"), range(10, 14), listed=False, use=3)
    assert opened().train.labels.names == NAMES
    assert 2 in mask_of("second/images/10.png")


def test_values_of_the_workspace_get_its_names(here: Path, messages: Any) -> None:
    build(write(Path("first"), range(6), None), workspace="w")
    write(Path("second"), range(10, 14), None, listed=False)
    mask = np.array(Image.open("second/masks/10.png"))
    mask[:8] = 255
    Image.fromarray(mask).save("second/masks/10.png")
    assert add_data("second", workspace="w").new_labels == {}
    assert "their values are those of the workspace's labels: 0 background, 1 road, 2 car" in messages.text
    assert opened().train.labels.names == NAMES
    np.testing.assert_array_equal(mask_of("second/images/10.png"), mask)


def test_unknown_colours_are_named_with_what_to_do(workspace: Path) -> None:
    write(Path("second"), range(10, 14), (*COLORS[:2], GREEN), listed=False)
    before = Path("w/data.yaml").read_text()
    with pytest.raises(DataError) as refused:
        add_data("second", workspace="w")
    text = str(refused.value)
    assert "second: its masks have no list of labels, and the workspace has no label for these colours" in text
    assert "(0, 200, 0); copy" in text
    assert f"{Path('first').resolve()}/dataset_meta.json" in text
    assert "--label-map" in text
    assert "--new-labels" in text
    assert "color_" not in text
    assert Path("w/data.yaml").read_text() == before
    added = add_data("second", workspace="w", new_labels=True)
    assert list(added.new_labels) == ["color_00c800"]
    assert opened().train.labels.names == (*NAMES, "color_00c800")


def test_colours_of_which_none_is_known_are_refused_as_other_labels_are(workspace: Path) -> None:
    write(Path("second"), range(10, 14), (GREEN, (1, 2, 3), (9, 9, 8)), listed=False)
    with pytest.raises(DataError, match="has labels that the workspace lacks: 'color_"):
        add_data("second", workspace="w")


def test_a_label_map_of_the_workspace_counts(here: Path) -> None:
    write(Path("first"), range(6))
    Path("map.yaml").write_text("background: ground\nroad: thing\ncar: thing\n")
    build("first", workspace="w", label_map="map.yaml")
    write(Path("second"), range(10, 14), listed=False)
    add_data("second", workspace="w")
    assert opened().train.labels.names == ("ground", "thing")
    stored = cv2.imread("second/masks/10.png")[:, :, ::-1]
    np.testing.assert_array_equal(mask_of("second/images/10.png"), stored.any(2))


def test_a_palette_of_another_order_is_not_read_by_its_numbers(workspace: Path) -> None:
    write(Path("second"), range(10, 14), None, listed=False)
    for path in Path("second/masks").iterdir():
        image = Image.fromarray(np.array(Image.open(path)), "P")
        image.putpalette([*COLORS[1], *COLORS[0], *COLORS[2]] + [255] * 3 * 253)
        image.save(path)
    with pytest.raises(DataError, match="values alone mean something else than with the labels of the workspace"):
        add_data("second", workspace="w")


def test_white_that_is_a_label_is_not_ignored_silently(here: Path) -> None:
    colors = (*COLORS[:2], (255, 255, 255))
    build(write(Path("first"), range(6), colors), workspace="w")
    write(Path("second"), range(10, 14), colors, listed=False)
    with pytest.raises(DataError, match="white for a label; copy"):
        add_data("second", workspace="w")
    shutil.copy("first/dataset_meta.json", "second")
    assert add_data("second", workspace="w").new == 4
