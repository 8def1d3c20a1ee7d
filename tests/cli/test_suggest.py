"""`otx suggest` as a user calls it, and what he can get wrong."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

import otx_seg
from otx_seg.datasets import Subset
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.labelling.methods import DEFAULT_COUNT, METHODS
from otx_seg.workspace.weights import read_weights, write_weights


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, one of them in a folder below."""
    folder = tmp_path_factory.mktemp("pool")
    draw_dataset(folder / "drawn", images=6, size=64, seed=11)
    (folder / "new" / "sub").mkdir(parents=True)
    for number, image in enumerate(sorted((folder / "drawn").rglob("images/*"))):
        shutil.copy(image, folder / "new" / ("sub" if number == 0 else "") / f"{number}.png")
    return folder / "new"


@pytest.fixture
def given(pool: Path, small_weights: Path, drawn_data: Path) -> list[object]:
    return ["-i", pool, "--load-weights", small_weights, "--train-data-roots", drawn_data / "train"]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "suggest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_images_are_listed_copied_and_shown(otx: Any, given: list[object], pool: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    done = otx("suggest", *given, "-n", 3, "-o", output)
    assert done.code == 0, done.err
    assert f"3 images of 6 new ones suggested, copied to {output / 'images'}; first: " in done.out
    drafts = f"otx predict --input {output / 'images'} --load-weights {given[3]} --save-as coco (or cvat, datumaro, "
    assert done.out.splitlines()[-1].startswith(f"Next: {drafts}")
    assert "choosing among 6 images; compared with 8 labelled images, looked at by 1 model\n" in done.err
    listed = rows(output)
    assert [row["rank"] for row in listed] == ["1", "2", "3"]
    for row in listed:
        assert (output / "images" / row["file"]).read_bytes() == (pool / row["file"]).read_bytes()
        assert 0 < float(row["score"]) < 1
        assert 1 <= int(row["stands_for"]) <= 6
        assert 0 < float(row["disagreement_bits"]) < float(row["uncertainty_bits"])
        assert row["nearest"]
    assert len([path for path in (output / "images").rglob("*") if path.is_file()]) == 3
    page = (output / "suggest.html").read_text()
    assert page.count("<figure>") == 3
    assert "http" not in page.replace("http-equiv", "")
    for row in listed:
        assert row["file"] in page
        assert f"<td>{float(row['distance']):.2f}</td>" in page
    again = otx("suggest", *given, "-n", 3, "-o", output)
    assert (again.code, "--overwrite" in again.message) == (2, True)
    fewer = otx("suggest", *given, "-n", 1, "--list-only", "--overwrite", "-o", output)
    assert fewer.code == 0, fewer.err
    assert "copied to" not in fewer.out
    assert "Next" not in fewer.out
    assert len(rows(output)) == 1
    assert not [path for path in (output / "images").rglob("*") if path.is_file()]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_chooses_its_own(otx: Any, given: list[object], tmp_path: Path, method: str) -> None:
    done = otx("suggest", *given, "-n", 6, "--method", method, "--seed", 5, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    listed = rows(tmp_path / "out")
    figure = {"uncertainty": "uncertainty_bits", "diversity": "distance"}.get(method, "score")
    assert [row["score"] for row in listed] == [row[figure] for row in listed]
    assert (listed[0]["distance"] != "") == (method in ("both", "diversity"))
    scores = [float(row["score"]) for row in listed]
    assert scores == sorted(scores, reverse=True)


def test_several_models_disagree_more_than_one(
    otx: Any, given: list[object], small_weights: Path, tmp_path: Path
) -> None:
    weights = read_weights(small_weights)
    other = {name: tensor.flip(0) if "conv_seg" in name else tensor for name, tensor in weights.state_dict.items()}
    assert weights.template is not None
    write_weights(tmp_path / "other.pth", other, weights.labels, weights.template, "another")
    assert otx("suggest", *given, "-n", 6, "-o", tmp_path / "one").code == 0
    done = otx("suggest", *given, "--load-weights", tmp_path / "other.pth", "-n", 6, "-o", tmp_path / "two")
    assert done.code == 0, done.err
    alone, together = (
        {row["file"]: float(row["disagreement_bits"]) for row in rows(tmp_path / name)} for name in ("one", "two")
    )
    assert all(together[file] > alone[file] for file in alone)
    assert "2 models" in (tmp_path / "two" / "suggest.html").read_text()


def test_labelled_images_and_copies_are_never_suggested(
    otx: Any, given: list[object], pool: Path, drawn_data: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(pool, mixed)
    one = sorted((drawn_data / "train" / "images").iterdir())[0]
    shutil.copy(one, mixed / "labelled.png")
    pixels = cv2.imread(str(mixed / "1.png"))
    cv2.imwrite(str(mixed / "1_again.bmp"), pixels)  # equal pixels in another file
    cv2.imwrite(str(mixed / "2_nearly.png"), np.clip(cv2.imread(str(mixed / "2.png")).astype(int) + 2, 0, 255))
    done = otx("suggest", "-i", mixed, *given[2:], "-n", 9, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    said = (
        "9 were asked for, but only 6 images are new: 2 labelled already or there twice, 1 nearly equal to a labelled"
    )
    assert said in done.message
    files = {row["file"] for row in rows(tmp_path / "out")}
    assert len(files) == 6
    assert not files & {"labelled.png", "1_again.bmp"}
    assert len(files & {"2.png", "2_nearly.png"}) == 1


def test_no_image_is_new(otx: Any, given: list[object], drawn_data: Path, tmp_path: Path) -> None:
    done = otx("suggest", "-i", drawn_data / "train" / "images", *given[2:], "-o", tmp_path / "out")
    assert done.code == 3
    assert "none of 8 images is new: 8 labelled already or there twice; give others" in done.message
    assert not (tmp_path / "out").exists()


def test_unreadable_images_are_left_out(otx: Any, given: list[object], pool: Path, tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(pool, mixed)
    (mixed / "broken.png").write_bytes((pool / "1.png").read_bytes()[:200])
    done = otx("suggest", "-i", mixed, *given[2:], "-n", 2, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "broken.png" in done.message
    assert "1 unreadable" in (tmp_path / "out" / "suggest.html").read_text()
    for path in mixed.rglob("*.png"):
        path.write_bytes(b"no image")
    none = otx("suggest", "-i", mixed, *given[2:], "-o", tmp_path / "none")
    assert none.code == 3
    assert "none of 7 images could be read; the first: " in none.message


def test_the_pages_of_a_file_are_images_and_the_file_is_copied(otx: Any, given: list[object], tmp_path: Path) -> None:
    pages = [np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8) for number in range(3)]
    (tmp_path / "tiff").mkdir()
    cv2.imwritemulti(str(tmp_path / "tiff" / "a.tif"), pages)
    chosen = ["suggest", "-i", tmp_path / "tiff", *given[2:], "-n", 2, "-o", tmp_path / "out"]
    for options in ([], ["--overwrite"]):
        done = otx(*chosen, *options)
        assert done.code == 0, done.err
        assert {row["file"] for row in rows(tmp_path / "out")} < {"a.tif#1", "a.tif#2", "a.tif#3"}
        assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["a.tif"]


def test_what_a_person_puts_beside_the_copies_stays(otx: Any, given: list[object], tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert otx("suggest", *given, "-n", 6, "-o", output).code == 0
    (output / "images" / "1.json").write_text("{}")
    elsewhere = tmp_path / "precious.png"
    elsewhere.touch()
    with (output / "suggest.csv").open("a") as file:
        file.write(f"7,{elsewhere},1,1,1,1,x\n8,../../precious.png,1,1,1,1,x\n")
    assert otx("suggest", *given, "-n", 1, "--overwrite", "-o", output).code == 0
    assert elsewhere.exists()
    files = {
        path.relative_to(output / "images").as_posix() for path in (output / "images").rglob("*") if path.is_file()
    }
    assert files == {"1.json", rows(output)[0]["file"]}


def test_weights_without_features(
    otx: Any, pool: Path, tiny_ir: Path, tiny_onnx: Path, open_ir: Path, tmp_path: Path
) -> None:
    for number, model in enumerate((tiny_ir, tiny_onnx)):
        refused = otx("suggest", "-i", pool, "--load-weights", model, "-o", tmp_path / "out")
        assert refused.code == 2
        assert f"{model}: was exported without its features" in refused.message
        assert "--dump-features" in refused.message
        assert "--method uncertainty of `otx suggest`" in refused.message
        chosen = ["-i", pool, "--load-weights", model, "--method", "uncertainty", "-o", tmp_path / f"out{number}"]
        assert otx("suggest", *chosen).code == 0
    done = otx("suggest", "-i", pool, "--load-weights", open_ir, "-o", tmp_path / "open")
    assert done.code == 0, done.err
    assert "no labelled images are known" in done.message


def test_weights_with_other_labels(otx: Any, given: list[object], tiny_weights: Path, tmp_path: Path) -> None:
    done = otx("suggest", *given, "--load-weights", tiny_weights, "-o", tmp_path / "out")
    assert done.code == 2
    assert f"{tiny_weights}: has the labels background, red brick, pole, sky" in done.message


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["-n", "0"], 2, "--count"),
        (["--method", "best"], 2, "'best' is not one of"),
        (["-i", "missing"], 3, "missing: no such file or folder"),
        (["--train-data-roots", "missing"], 3, "missing"),
    ],
)
def test_bad_arguments(otx: Any, given: list[object], arguments: list[str], code: int, text: str) -> None:
    done = otx("suggest", *given, *arguments)
    assert (done.code, text in done.message) == (code, True), done.message


def test_a_file_is_no_folder(otx: Any, given: list[object], pool: Path) -> None:
    done = otx("suggest", "-i", pool / "1.png", *given[2:])
    assert (done.code, "1.png: is a file; name the folder of the images to choose from" in done.message) == (3, True)


def test_nothing_is_written_among_the_images(otx: Any, given: list[object], pool: Path) -> None:
    done = otx("suggest", *given, "-o", pool / "out")
    assert done.code == 2
    assert not (pool / "out").exists()


def test_a_workspace_knows_images_weights_and_labels(
    otx: Any, pool: Path, small_weights: Path, drawn_data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "w"
    data = ["--train-data-roots", drawn_data / "train", "--val-data-roots", drawn_data / "val"]
    assert otx("build", *data, "--workspace", folder).code == 0
    lacking = otx("suggest", "--workspace", folder, "--load-weights", small_weights)
    assert (lacking.code, "--input is missing: name the folder" in lacking.message) == (2, True)
    assert "data.yaml as data.unlabeled.data-roots" in lacking.message
    mixed = tmp_path / "mixed"
    shutil.copytree(pool, mixed)
    validated = sorted((drawn_data / "val" / "images").iterdir())[0]
    shutil.copy(validated, mixed / "validated.png")
    data = yaml.safe_load((folder / "data.yaml").read_text())
    data["data"]["unlabeled"] = {"data-roots": str(mixed)}
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    run = folder / "outputs" / "training"
    (run / "models").mkdir(parents=True)
    shutil.copy(small_weights, run / "models")
    (folder / "outputs" / "latest_trained_model").symlink_to("training")
    done = otx("suggest", "--workspace", folder)
    assert done.code == 0, done.err
    written = next((folder / "outputs").glob("*_suggest"))
    files = [row["file"] for row in rows(written)]
    assert (len(files), "validated.png" in files) == (6, False)
    assert "10 labelled images to compare with" in (written / "suggest.html").read_text()


def test_in_python(pool: Path, small_weights: Path, tiny_data: Subset, tmp_path: Path) -> None:
    found = otx_seg.suggest(pool, load_weights=small_weights, method="random", output=tmp_path / "out", count=2)
    assert [one.path.is_file() for one in found.suggestions] == [True, True]
    assert found.images == tmp_path / "out" / "images"
    assert DEFAULT_COUNT > 0
    with pytest.raises(otx_seg.errors.UsageError, match="--count is at least 1: 0"):
        otx_seg.suggest(pool, load_weights=small_weights, count=0)
    with pytest.raises(otx_seg.errors.UsageError, match="--method is both, "):
        otx_seg.suggest(pool, load_weights=small_weights, method="best")
