"""A graph small enough to know every node of, images it is right on, and what other tools make of such a graph."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import openvino

from otx_seg.labels import Labels

COLORS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
LABELS = Labels(("background", "grass", "sea"), COLORS, background=0)


def color_graph(outlier: float = 0.0) -> openvino.Model:
    """Tells red, green and blue apart: two 1x1 convolutions with a gate between them, and a softmax.

    Args:
        outlier: weight of a further channel between the convolutions that the second one does not look at. A large one
            leaves no integers for the other channels.
    """
    opset = openvino.opset13
    image = opset.parameter((1, 3, 16, 16), np.float32, name="image")

    def convolution(x: openvino.Node, weights: np.ndarray, name: str) -> openvino.Node:
        kernel = opset.constant(weights[:, :, None, None].astype(np.float32))
        return opset.convolution(x, kernel, [1, 1], [0, 0], [0, 0], [1, 1], name=name)

    spread = np.tile(np.eye(3) / 180 + 1e-9, (900, 1))  # (2700, 3): 8100 parameters, none of them 0
    seen = spread.T.copy()
    if outlier:
        spread, seen = np.vstack((spread, np.full((1, 3), outlier))), np.hstack((seen, np.zeros((3, 1))))
    x = opset.relu(convolution(image, spread, "spread/Convolution"))
    gate = opset.sigmoid(opset.reduce_mean(x, opset.constant([2, 3]), keep_dims=True))
    x = opset.multiply(x, gate, name="gate/Multiply")
    x = opset.softmax(convolution(x, seen, "decide/Convolution"), axis=1)
    return openvino.Model([x], [image], "colors")


def write_color_data(root: Path, names: tuple[str, ...] = LABELS.names) -> Path:
    """Five images of 16 x 16 pixels in patches of the three colours, with their masks; gives `root`."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    for number in range(5):
        mask = np.kron(rng.integers(0, 3, (4, 4)), np.ones((4, 4))).astype(np.uint8)
        image = np.array(COLORS, np.uint8)[mask]
        cv2.imwrite(str(root / "images" / f"{number}.png"), image[:, :, ::-1])
        cv2.imwrite(str(root / "masks" / f"{number}.png"), mask)
    meta = {"label_map": {str(index): name for index, name in enumerate(names)}}
    (root / "dataset_meta.json").write_text(json.dumps(meta))
    return root


def saved(model: openvino.Model, path: Path, **entries: str) -> Path:
    """An IR with these entries of `model_info`."""
    for name, value in entries.items():
        model.set_rt_info(value, ["model_info", name])
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, path, compress_to_fp16=False)
    return path
