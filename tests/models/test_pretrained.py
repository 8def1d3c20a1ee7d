import hashlib
import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from otx_seg.errors import OtxError, UsageError
from otx_seg.models import build_model
from otx_seg.models.pretrained import default_cache_dir, fetch, initialise_backbone, load_backbone


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/broken.pth":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too short")
        elif self.path == "/elsewhere.pth":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/x.pth")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", folder
        web.shutdown()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as published: names without prefix, a classifier of its own."""
    torch.manual_seed(1)
    state = build_model("Lite-HRNet-s-mod2", 5).backbone.state_dict()
    state = {key: torch.full_like(value, 3) for key, value in state.items()}
    path = tmp_path_factory.mktemp("published") / "backbone.pth"
    torch.save({"state_dict": {**state, "head.fc.weight": torch.zeros(4, 4)}, "epoch": 3}, path)
    return path


def _is_published(network: torch.nn.Module) -> bool:
    return all((value == 3).all() for value in network.backbone.state_dict().values())


def test_names_get_the_prefix(published: Path) -> None:
    network = build_model("Lite-HRNet-s-mod2", 2)
    head = {key: value.clone() for key, value in network.decode_head.state_dict().items()}
    loaded = load_backbone(network, published)
    assert loaded.missing == ()
    assert loaded.matched == len(network.backbone.state_dict())
    assert _is_published(network)
    assert all(torch.equal(value, head[key]) for key, value in network.decode_head.state_dict().items())


def test_names_with_prefix_and_a_weights_file_of_ours(published: Path, tmp_path: Path) -> None:
    state = torch.load(published, weights_only=True)["state_dict"]
    state = {f"backbone.{key}": value for key, value in state.items() if "head" not in key}
    torch.save({"model": {"state_dict": state}}, tmp_path / "weights.pth")
    network = build_model("Lite-HRNet-s-mod2", 2)
    assert load_backbone(network, tmp_path / "weights.pth").missing == ()
    assert _is_published(network)


def test_a_file_that_fits_in_part_is_reported(published: Path, tmp_path: Path, messages: Any) -> None:
    state = torch.load(published, weights_only=True)["state_dict"]
    del state["stem.conv1.conv.weight"]
    state["stem.conv1.bn.weight"] = torch.zeros(7)
    torch.save(state, tmp_path / "part.pth")
    loaded = load_backbone(build_model("Lite-HRNet-s-mod2", 2), tmp_path / "part.pth")
    assert loaded.missing == ("backbone.stem.conv1.conv.weight", "backbone.stem.conv1.bn.weight")
    assert "in part" in messages.text
    assert "backbone.stem.conv1.conv.weight and 1 more" in str(loaded)


def test_files_that_do_not_fit(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing in it fits the backbone"):
        load_backbone(build_model("SegNext-t", 2), published)
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(partial(print, "run"), tmp_path / "code.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    network = build_model("Lite-HRNet-s-mod2", 2)
    for name in ("list.pth", "code.pth", "text.pth", "absent.pth"):
        with pytest.raises(UsageError, match=name):
            load_backbone(network, tmp_path / name)


def test_fetch_keeps_the_file(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / "w.pth").write_bytes(b"first")
    cache = tmp_path / "new" / "cache"
    fetched = fetch(f"{address}/w.pth", cache, timeout_s=5)
    assert fetched.read_bytes() == b"first"
    (folder / "w.pth").write_bytes(b"second")
    assert fetch(f"{address}/w.pth", cache, timeout_s=5) == fetched
    assert fetched.read_bytes() == b"first", "it came from the cache"
    fetch(f"{address}/w.pth", cache, timeout_s=5, sha256=hashlib.sha256(b"second").hexdigest().upper())
    assert fetched.read_bytes() == b"second", "a cached file with another digest is replaced"
    assert [path.name for path in cache.iterdir()] == [fetched.name]


@pytest.mark.parametrize(
    ("name", "sha256", "message"),
    [
        ("absent.pth", None, "404"),
        ("broken.pth", None, "could not be fetched"),
        ("w.pth", "0" * 64, "not the published file"),
        ("elsewhere.pth", None, "https only"),
    ],
)
def test_fetch_fails_and_leaves_nothing(
    server: tuple[str, Path], tmp_path: Path, name: str, sha256: str | None, message: str
) -> None:
    address, folder = server
    (folder / "w.pth").write_bytes(b"content")
    with pytest.raises(OtxError, match=message):
        fetch(f"{address}/{name}", tmp_path / "cache", timeout_s=5, sha256=sha256)
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    "url", ["http://example.invalid/w.pth", "file:///etc/passwd", "ftp://localhost/w.pth", "w.pth"]
)
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="https only"):
        fetch(url, tmp_path, timeout_s=1)


def test_a_cache_that_cannot_be_made(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "w.pth").write_bytes(b"content")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OtxError, match="could not be fetched"):
        fetch(f"{server[0]}/w.pth", tmp_path / "file" / "cache", timeout_s=5)


def test_modes(server: tuple[str, Path], published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    address, folder = server
    (folder / "w.pth").write_bytes(published.read_bytes())
    cache = tmp_path / "cache"

    network = build_model("Lite-HRNet-s-mod2", 2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert "random weights" in initialise_backbone(network, "none", f"{address}/w.pth", cache_dir=cache)
    with caplog.at_level(logging.WARNING):
        sentence = initialise_backbone(network, "auto", f"{address}/absent.pth", cache_dir=cache)
    assert "random weights" in sentence
    assert sentence == "the backbone starts from random weights, since no published ones could be had"
    assert "NO PRETRAINED WEIGHTS" in caplog.text
    assert "404" in caplog.text
    with pytest.raises(OtxError, match="404"):
        initialise_backbone(network, "required", f"{address}/absent.pth", cache_dir=cache)
    with pytest.raises(UsageError, match=r"no such .*file"):
        initialise_backbone(network, str(tmp_path / "mine.pth"), f"{address}/w.pth", cache_dir=cache)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    for mode in ("auto", "required", str(published)):
        network = build_model("Lite-HRNet-s-mod2", 2)
        sentence = initialise_backbone(network, mode, f"{address}/w.pth", cache_dir=cache)
        assert _is_published(network)
        assert "tensors" in sentence


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "otx_seg"
