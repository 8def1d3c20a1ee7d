"""`check` with weights: a fault that was put into a mask is found, told and drawn."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.datasets import Subset
from otx_seg.datasets.check.mask_faults import MaskFaults
from otx_seg.errors import UsageError
from otx_seg.verbs.check import check


@pytest.fixture
def faulty(tiny_data: Subset, tmp_path: Path) -> Path:
    """The four images whose masks are what the network says, but for a region of the second one."""
    folder = tmp_path / "data"
    shutil.copytree(tiny_data.root, folder)
    file = str(folder / "masks" / "1.png")
    mask = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
    mask[20:50, 30:80] = (mask[20:50, 30:80] + 2) % 4
    cv2.imwrite(file, mask)
    return folder


def compared(data: Path, weights: Path, **arguments: Any) -> MaskFaults:
    found = check(data, load_weights=weights, **arguments).mask_faults
    assert found is not None
    return found


def test_the_fault_comes_first(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    steps: dict[str, list[int]] = {}
    found = compared(
        faulty,
        tiny_weights,
        output=tmp_path / "out",
        progress=lambda what, done, total: steps.setdefault(what, []).append(done),
    )
    assert found.images == 4
    assert [mask.file for mask in found.masks] == ["1.png"]
    for one in found.masks[0].contradictions:
        x, y, width, height = one.box
        assert one.kind == "mask of another image" or (x >= 30 and y >= 20 and x + width <= 80 and y + height <= 50)
    assert steps["comparing masks"] == steps["ranking masks"] == [1, 2, 3, 4]


def test_what_is_written(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in faulty.rglob("*.*")}
    found = compared(faulty, tiny_weights, output=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mask_faults.csv", "mask_faults.html"]
    with (tmp_path / "out" / "mask_faults.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = [(mask, one) for mask in found.masks for one in mask.contradictions]
    assert len(rows) == len(told)
    for row, (mask, one) in zip(rows, told, strict=True):
        assert (row["rank"], row["file"], row["kind"], row["score"]) == ("1", mask.file, one.kind, f"{one.score:.2f}")
        assert (int(row["x"]), int(row["y"]), int(row["width"]), int(row["height"])) == one.box
        assert (row["in_mask"], row["predicted"], int(row["pixels"])) == (one.in_mask, one.predicted, one.pixels)
    page = (tmp_path / "out" / "mask_faults.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("<img") == 4
    assert "1. 1.png" in page
    assert found.verdict in page
    assert "it is not known which images" in page
    for head in ("image", "mask", "prediction", "difference"):
        assert f"<figcaption>{head}</figcaption>" in page
    assert "`" not in page
    assert '<span class="word">--load-weights</span>' in page
    assert found.masks[0].subset not in page.partition("</h1>")[2]  # the only one needs no name
    assert {file: file.read_bytes() for file in faulty.rglob("*.*")} == before


def test_json(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    result = check(faulty, load_weights=tiny_weights, output=tmp_path / "out")
    told = json.loads(json.dumps(result.as_json()))["mask_faults"]
    assert list(told) == ["images", "judged_by", "caution", "masks", "page", "table"]
    assert told["masks"][0]["file"] == "1.png"
    assert told["masks"][0]["contradictions"][0]["score"] == told["masks"][0]["score"]
    assert "mask_faults" not in check(faulty).as_json()


def test_sound_masks_give_a_page_that_says_so(tiny_data: Subset, tiny_weights: Path, tmp_path: Path) -> None:
    found = compared(tiny_data.root, tiny_weights, output=tmp_path / "out")
    assert found.masks == ()
    assert found.verdict == "None of the masks of 4 images is contradicted by more than usual"
    assert found.page is not None
    assert found.verdict in found.page.read_text()


def test_masks_that_cannot_be_read_are_left_out(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    (faulty / "masks" / "0.png").write_bytes(b"no mask")
    assert compared(faulty, tiny_weights, output=tmp_path / "out").images == 3


def test_a_result_is_not_replaced_unasked(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    compared(faulty, tiny_weights, output=tmp_path / "out")
    with pytest.raises(UsageError, match=r"already holds a result \(mask_faults.html\).*--overwrite"):
        compared(faulty, tiny_weights, output=tmp_path / "out")
    compared(faulty, tiny_weights, output=tmp_path / "out", overwrite=True)


def test_exported_models_judge_too(faulty: Path, tiny_ir: Path, tmp_path: Path) -> None:
    assert compared(faulty, tiny_ir, output=tmp_path / "out").masks[0].file == "1.png"


def test_pictures_are_drawn_in_the_colours_of_the_labels(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    found = compared(faulty, tiny_weights, output=tmp_path / "out")
    assert found.page is not None
    page = found.page.read_text()
    encoded = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    import base64

    pictures = [cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR) for text in encoded]
    image, mask, prediction, difference = pictures
    assert image.shape == mask.shape == prediction.shape == difference.shape == (60, 100, 3)
    inside = (slice(24, 46), slice(34, 76))
    apart = np.abs(mask[inside].astype(int) - prediction[inside]).mean()
    outside = np.abs(mask[:16].astype(int) - prediction[:16]).mean()
    assert apart > 10 * outside


def test_a_refused_page_leaves_no_folder(faulty: Path, tiny_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--html .*: is a folder"):
        check(faulty, load_weights=tiny_weights, output=tmp_path / "out", html=tmp_path)
    assert not (tmp_path / "out").exists()
