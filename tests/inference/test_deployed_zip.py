"""Opening the zip of `otx deploy`, and zips that only look like it."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal

from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.deploy import deploy
from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.runtime.crops import network_input


@pytest.fixture(scope="module")
def package(tiny_ir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deploy(tiny_ir, tmp_path_factory.mktemp("package")).package


@pytest.fixture
def changed(package: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the package: without some files, and with one more."""

    def write(extra: zipfile.ZipInfo | str = "", content: bytes = b"x", without: str = "none") -> Path:
        path = tmp_path / "in" / "changed.zip"
        path.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(package) as source, zipfile.ZipFile(path, "w") as target:
            for file in source.infolist():
                if file.filename != without:
                    target.writestr(file, source.read(file))
            if extra:
                target.writestr(extra, content)
        return path

    return write


def special(name: str, mode: int) -> zipfile.ZipInfo:
    file = zipfile.ZipInfo(name)
    file.external_attr = mode << 16
    return file


def refused(path: Path, reason: str) -> None:
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(UsageError, match=reason) as error:
        load_predictor(path)
    assert str(path) in str(error.value)
    assert sorted(path.parent.parent.rglob("*")) == sorted([path.parent, *before])


def test_it_is_the_model_that_was_packed(package: Path, tiny_ir: Path) -> None:
    packed, original = load_predictor(package), load_predictor(tiny_ir)
    assert (packed.kind, packed.labels, packed.input_size) == ("openvino", original.labels, original.input_size)
    assert (packed.template, packed.post_processing) == (original.template, original.post_processing)
    for image in drawn_images((64, 64)):
        values = network_input(image, packed.input_size)
        assert_array_equal(packed.probabilities(values), original.probabilities(values))


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "model/../../evil.py", "/etc/evil", "python/../../evil", "model\\..\\evil", "C:/evil", "python/.."],
)
def test_paths_that_lead_out(changed: Callable[..., Path], name: str) -> None:
    refused(changed(name), "leads out of the zip; .*nothing was read")


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFCHR | 0o644])
def test_links_and_devices(changed: Callable[..., Path], mode: int) -> None:
    refused(changed(special("python/otx_seg/link.py", mode), b"/etc/passwd"), "is a link or another special file")


def test_a_model_that_is_a_link(changed: Callable[..., Path]) -> None:
    link = special("model/model.bin", stat.S_IFLNK | 0o777)
    refused(changed(link, b"/etc/passwd", without="model/model.bin"), "model/model.bin' is a link")


@pytest.mark.parametrize("name", ["autorun.inf", "model/other.xml", "data/x.png", "models/model.xml"])
def test_files_that_do_not_belong_there(changed: Callable[..., Path], name: str) -> None:
    refused(changed(name), "does not belong here")


def test_folders_may_be_listed(changed: Callable[..., Path]) -> None:
    assert load_predictor(changed(special("python/otx_seg/", stat.S_IFDIR | 0o755), b"")).kind == "openvino"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_twice(changed: Callable[..., Path]) -> None:
    refused(changed("model/model.bin"), "occurs twice")


@pytest.mark.parametrize("name", ["model/model.xml", "model/model.bin", "model/config.json"])
def test_a_part_is_missing(changed: Callable[..., Path], name: str) -> None:
    refused(changed(without=name), f"has no {name}")


def test_too_many_files(changed: Callable[..., Path], tmp_path: Path) -> None:
    path = changed()
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(500):
            archive.writestr(f"python/{number}.py", b"")
    refused(path, "holds 5[0-9]+ files")


def test_absurd_sizes(changed: Callable[..., Path]) -> None:
    # Two megabytes of blanks that take two kilobytes.
    with zipfile.ZipFile(changed(without="model/config.json"), "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/config.json", b" " * (2 << 20))
    refused(Path(str(archive.filename)), "model/config.json' claims 2 MB")


def test_a_size_that_is_a_lie(changed: Callable[..., Path]) -> None:
    path, size = changed(without="model/config.json"), 2_345_678
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/config.json", b" " * size)
    content = path.read_bytes()
    assert content.count(size.to_bytes(4, "little")) == 2  # in the file's own header and in the directory
    path.write_bytes(content.replace(size.to_bytes(4, "little"), (2000).to_bytes(4, "little")))
    refused(path, "is not a zip file, or is damaged")


def test_what_is_no_zip(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "in" / "model.zip"
    path.parent.mkdir()
    content = package.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (b"", b"hello", content[: len(content) // 2]):
        path.write_bytes(damaged)
        refused(path, "is not a zip file, or is damaged")
    path.write_bytes(bytes(flipped))
    refused(path, "is damaged or was changed after it was written")


def test_a_model_that_does_not_fit(changed: Callable[..., Path]) -> None:
    refused(
        changed("model/model.bin", b"too short", without="model/model.bin"),
        r"config\.json: the sha256 in it are not those",
    )
