"""A small network with its exports and a data set it is right on, made once for all tests that want a real model;
and what tests of several packages write."""

from __future__ import annotations

import gc
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from data_layouts import WRITERS, coco_files
from PIL import Image
from small_network import small_template
from torch import nn

from otx_seg.datasets import Subset, open_folder
from otx_seg.datasets.synthetic.draw import NAMES as DRAWN
from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.deployment.agreement import drawn_images
from otx_seg.deployment.export import export
from otx_seg.labels import Labels, default_colors
from otx_seg.models.build import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.workspace.weights import read_weights, write_weights

NAMES = ("background", "red brick", "pole", "sky")
SIZE = (64, 64)
META = {
    "label_map": {"0": "background", "1": "cat", "2": "dog"},
    "segmentation_colors": [[0, 0, 0], [255, 0, 0], [0, 128, 0]],
}


def pytest_collection_finish() -> None:
    """Keep the half a million objects of all that was imported out of every garbage collection."""
    gc.freeze()


@torch.no_grad()
def make_lively(network: SegmentationNetwork) -> None:
    """Give a new network weights with which its answers depend on the image and use every label."""
    torch.manual_seed(7)
    for parameter in network.parameters():
        if parameter.ndim >= 2:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    images = torch.from_numpy(np.stack(drawn_images(SIZE))).permute(0, 3, 1, 2)
    for _ in range(20):  # the running statistics of the norms
        network.train()(images)
    head = network.main_head.conv_seg
    logits = network.eval()(images)
    head.weight /= logits.std()
    head.bias.copy_(-logits.mean(dim=(0, 2, 3)) / logits.std())


@pytest.fixture
def save() -> Callable[..., Path]:
    """Writes an array as an image file whose folder is made if need be."""

    def write(path: Path, pixels: np.ndarray, **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def dataset(tmp_path: Path, save: Callable[..., Path]) -> Callable[..., Path]:
    """Writes images of 8 x 6 pixels with index masks under `folder`: `dataset(["a", "sub/b"], "train")`."""

    def write(names: list[str], folder: str = "", meta: dict | None = META) -> Path:
        root = tmp_path / "data"
        for number, name in enumerate(names):
            save(root / folder / "images" / f"{name}.png", np.full((6, 8, 3), number, np.uint8))
            mask = np.zeros((6, 8), np.uint8)
            mask[:2] = 1 + number % 2
            save(root / folder / "masks" / f"{name}.png", mask)
        if meta is not None:
            (root / folder / "dataset_meta.json").write_text(json.dumps(meta))
        return root

    return write


@pytest.fixture(scope="session")
def camvid() -> Path:
    """The CamVid data set, which is too large for the repository."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data" / "camvid"
    folder = Path(os.environ.get("OTX_SEG_CAMVID", default))
    if not folder.is_dir():
        pytest.skip(f"no CamVid at {folder}; set OTX_SEG_CAMVID to its folder")
    return folder


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`weights.pth` of `small_template` for four labels."""
    chosen = small_template()
    network = build_model(chosen, len(NAMES))
    make_lively(SegmentationNetwork(network))
    labels = Labels(NAMES, default_colors(len(NAMES)), background=0)
    path = tmp_path_factory.mktemp("trained") / "weights.pth"
    write_weights(path, network.state_dict(), labels, chosen, "random numbers")
    return path


@pytest.fixture(scope="session")
def tiny_network(tiny_weights: Path) -> SegmentationNetwork:
    """The network of `tiny_weights`, in evaluation mode."""
    weights = read_weights(tiny_weights)
    network = build_model(small_template(), len(NAMES))
    network.load_state_dict(weights.state_dict)
    return SegmentationNetwork(network).eval()


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`weights.pth` of `small_template` for the labels of `drawn_data`."""
    chosen = small_template()
    network = build_model(chosen, len(DRAWN))
    make_lively(SegmentationNetwork(network))
    path = tmp_path_factory.mktemp("small") / "weights.pth"
    labels = Labels(DRAWN, default_colors(len(DRAWN)), background=0)
    write_weights(path, network.state_dict(), labels, chosen, "random numbers")
    return path


@pytest.fixture(scope="session")
def tiny_ir(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The IR of `tiny_weights`."""
    return export(tiny_weights, tmp_path_factory.mktemp("exported_ir")).model


@pytest.fixture(scope="session")
def tiny_onnx(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX model of `tiny_weights`."""
    return export(tiny_weights, tmp_path_factory.mktemp("exported_onnx"), "onnx").model


@pytest.fixture(scope="session")
def open_ir(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The IR of `tiny_weights`, exported with its features."""
    return export(tiny_weights, tmp_path_factory.mktemp("open_ir"), dump_features=True).model


@pytest.fixture(scope="session")
def open_onnx(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX model of `tiny_weights`, exported with its features."""
    return export(tiny_weights, tmp_path_factory.mktemp("open_onnx"), "onnx", dump_features=True).model


@pytest.fixture(scope="session")
def tiny_data(tiny_network: SegmentationNetwork, tmp_path_factory: pytest.TempPathFactory) -> Subset:
    """Four images of 60 x 100 pixels whose masks are what `tiny_network` says, worked out with torch alone."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for number, image in enumerate(drawn_images((60, 100))):
        cv2.imwrite(str(root / "images" / f"{number}.png"), image[:, :, ::-1])
        cv2.imwrite(str(root / "masks" / f"{number}.png"), _mask_by_torch(tiny_network, image))
    meta = {"label_map": {str(index): name for index, name in enumerate(NAMES)}}
    (root / "dataset_meta.json").write_text(json.dumps(meta))
    return open_folder(root)["default"]


@torch.no_grad()
def _mask_by_torch(network: SegmentationNetwork, image: np.ndarray) -> np.ndarray:
    resized = cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_LINEAR)
    logits = network(torch.from_numpy(resized).permute(2, 0, 1)[None])
    probabilities = logits.softmax(dim=1)
    enlarged = nn.functional.interpolate(probabilities, image.shape[:2], mode="bilinear", align_corners=False)
    return enlarged[0].argmax(dim=0).numpy().astype(np.uint8)


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with ``train`` (8 images) and ``val`` (2 images) of 64 x 64 pixels."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, images=10, size=64, seed=3)
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`written("coco")`: the folder of the data set in a layout of `WRITERS`, which is written once."""
    roots: dict[str, Path] = {}

    def folder(layout: str) -> Path:
        if layout not in roots:
            roots[layout] = tmp_path_factory.mktemp("data")
            WRITERS[layout][1](roots[layout])
        return roots[layout]

    return folder


@pytest.fixture(scope="session")
def drawn_as_coco(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """COCO files called ``train`` and ``val``, elsewhere, that describe the images of `drawn_data`."""
    return coco_files(drawn_data, tmp_path_factory.mktemp("annotations"))


class Messages(logging.Handler):
    """What the toolkit said."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{record.getMessage()}\n"


@pytest.fixture
def messages() -> Iterator[Messages]:
    """The toolkit's messages, kept beside the root logger, whose handlers mmengine mutes now and then."""
    kept, logger = Messages(), logging.getLogger("otx_seg")
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)
    yield kept
    logger.removeHandler(kept)
    logger.setLevel(level)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four training images and one for validation, beside the current folder."""
    draw_dataset(tmp_path / "data", images=5, size=64, seed=1)
    return tmp_path / "data"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


class _WeightsHandler(SimpleHTTPRequestHandler):
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
def weights_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_WeightsHandler, directory=str(folder))) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}", folder
        web.shutdown()
