"""Frames from images, videos and cameras, whole and damaged."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from otx_seg.errors import DataError
from otx_seg.runtime.streams import open_stream

COLORS = [(250, 20, 20), (20, 250, 20), (20, 20, 250), (200, 200, 20)]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve frames of 64 x 48 pixels, red, green, blue, yellow and so on."""
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for number in range(12):
        writer.write(np.full((48, 64, 3), COLORS[number % 4][::-1], np.uint8))
    writer.release()
    return path


def cut(path: Path, frames: int) -> Path:
    """Leave only the first frames in the file, whose header continues telling of twelve."""
    path.write_bytes(b"00dc".join(path.read_bytes().split(b"00dc")[: frames + 1]))
    return path


def test_an_image_and_a_folder(save: Any, tmp_path: Path) -> None:
    for number, color in enumerate(COLORS):
        save(tmp_path / "in" / "sub" / f"{number}.png", np.full((8, 9, 3), color, np.uint8))
    stream = open_stream(tmp_path / "in")
    assert (stream.total, stream.still, stream.endless) == (4, True, False)
    frames = list(stream.frames())
    assert [frame.name.as_posix() for frame in frames] == ["sub/0", "sub/1", "sub/2", "sub/3"]
    assert [tuple(frame.image[3, 3]) for frame in frames] == COLORS
    assert len(list(stream.frames())) == 4  # again from the first on
    (frame,) = open_stream(str(tmp_path / "in" / "sub" / "2.png")).frames()
    assert frame.name.as_posix() == "2"


def test_unreadable_images_are_skipped(save: Any, tmp_path: Path, messages: Any) -> None:
    save(tmp_path / "good.png", np.zeros((8, 9, 3), np.uint8))
    (tmp_path / "bad.png").write_text("no image")
    assert [frame.name.name for frame in open_stream(tmp_path).frames()] == ["good"]
    assert "skipped:" in messages.text
    assert "bad.png: not an image" in messages.text
    (tmp_path / "good.png").unlink()
    with pytest.raises(DataError, match=r"^\S*bad\.png: not an image"):
        list(open_stream(tmp_path / "bad.png").frames())
    (tmp_path / "worse.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match=r"none of 2 images could be read; the first: .*bad\.png"):
        list(open_stream(tmp_path).frames())


def test_a_video(video: Path, messages: Any) -> None:
    stream = open_stream(video)
    assert (stream.total, stream.still, stream.endless) == (12, False, False)
    frames = list(stream.frames())
    assert [frame.name.name for frame in frames][::11] == ["drive_000001", "drive_000012"]
    for number, frame in enumerate(frames):
        assert frame.image.shape == (48, 64, 3)
        assert np.abs(frame.image.astype(int) - COLORS[number % 4]).mean() < 8  # JPEG
    assert len(list(stream.frames())) == 12
    assert messages.text == ""


def test_a_video_is_known_by_its_content(video: Path, save: Any, tmp_path: Path) -> None:
    assert open_stream(video.rename(tmp_path / "7")).total == 12  # no camera
    image = save(tmp_path / "image.png", np.zeros((8, 9, 3), np.uint8)).rename(tmp_path / "image.data")
    assert open_stream(image).still


def test_a_video_that_ends_early(video: Path, messages: Any) -> None:
    frames = list(open_stream(cut(video, frames=5)).frames())
    assert len(frames) in (4, 5)  # whether the last one is whole is the decoder's guess
    assert f"ends early: it announces 12 frames, {len(frames)} could be read" in messages.text
    assert messages.text.count("\n") == 1


def test_what_is_no_video(video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "empty.mp4").touch()
    for path, text in (
        (tmp_path / "text.mp4", "neither an image nor a video"),
        (tmp_path / "empty.mp4", "the file is empty"),
        (tmp_path / "missing.mp4", "no such file or folder"),
    ):
        with pytest.raises(DataError, match=text):
            open_stream(path)
    video.write_bytes(video.read_bytes()[:100])
    with pytest.raises(DataError, match="neither an image nor a video"):
        open_stream(video)


def test_the_decoders_are_kept_quiet(video: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    (tmp_path / "header.avi").write_bytes(video.read_bytes()[:100])
    cut(video, frames=5)
    # In a process of its own: FFmpeg asks once how much it is to print.
    code = (
        "import sys\n"
        "from otx_seg.errors import DataError\n"
        "from otx_seg.runtime.streams import open_stream\n"
        "for source in sys.argv[1:]:\n"
        "    try: print(len(list(open_stream(source).frames())))\n"
        "    except DataError: print('refused')\n"
    )
    sources = [str(tmp_path / "text.mp4"), str(tmp_path / "header.avi"), "93", str(video)]
    result = subprocess.run([sys.executable, "-c", code, *sources], capture_output=True, text=True, check=True)
    assert result.stdout.split()[:3] == ["refused"] * 3
    assert result.stderr.count("\n") == 1
    assert "ends early" in result.stderr


def test_a_video_without_a_frame(video: Path) -> None:
    frames = video.read_bytes().split(b"00dc")
    video.write_bytes(b"00dc".join([frames[0], *(frame[:4] + bytes(len(frame) - 4) for frame in frames[1:])]))
    stream = open_stream(video)
    with pytest.raises(DataError, match=r"drive\.avi: no frame of this video can be read"):
        list(stream.frames())


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(DataError, match="camera 93: cannot be opened"):
        open_stream("93")


@pytest.fixture
def served(video: Path) -> Iterator[str]:
    """The address of a server with the file `drive.avi` and, called ``camera``, frames as they come from cameras."""
    frames = [cv2.imencode(".jpg", np.full((48, 64, 3), color[::-1], np.uint8))[1].tobytes() for color in COLORS]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if "nothing" not in self.path else 404)
            if "camera" in self.path:
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                for frame in frames:
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
                    self.wfile.write(head.encode() + frame + b"\r\n")
            else:
                self.end_headers()
                if "nothing" not in self.path:
                    self.wfile.write(video.read_bytes())

        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_stream_from_a_network(served: str) -> None:
    stream = open_stream(f"{served}/camera")
    assert (stream.total, stream.still, stream.endless, stream.inputs) == (None, False, True, set())
    frames = list(stream.frames())
    assert 1 <= len(frames) <= len(COLORS)
    assert frames[0].name.name == "stream_000001"
    assert np.abs(frames[0].image.astype(int) - COLORS[0]).mean() < 8
    assert len(list(open_stream(f"{served}/drive.avi").frames())) == 12


def test_addresses_that_give_nothing(served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otx_seg.runtime.streams.TIMEOUT_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        sources = [
            f"{served}/nothing",
            f"http://127.0.0.1:{port}/x",
            f"rtsp://user:secret@127.0.0.1:{port}/x?key=secret",
        ]
        for source in [*sources, "http://127.0.0.1:1/x"]:
            start = time.monotonic()
            with pytest.raises(DataError, match=r"//127\.0\.0\.1:\d+/\w+.*: gives no stream within 1 s") as raised:
                open_stream(source)
            assert "secret" not in str(raised.value)
            assert time.monotonic() - start < 5
    with pytest.raises(DataError, match=r"ftp://a/b: is not an address of a stream; those begin with rtsp"):
        open_stream("ftp://a/b")
