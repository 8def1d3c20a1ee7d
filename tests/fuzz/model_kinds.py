"""Files of networks: weights, exported models and packages, whose digests are left out where damages are to be seen."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from brief_training import train_briefly
from fuzz.harness import Kind
from fuzz.mutations import Mutation, bytes_changed, json_changed, member_changed, tensors_changed, words_changed
from small_network import small_template

from otx_seg.datasets.synthetic.draw import draw_dataset
from otx_seg.deployment.deploy import deploy
from otx_seg.deployment.export import export
from otx_seg.inference.predictor import load_predictor
from otx_seg.labels import Labels, default_colors
from otx_seg.models.build import build_model
from otx_seg.runtime.predict_mask import predict_mask
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.trainer import Trainer
from otx_seg.workspace.weights import read_weights, write_weights

NAMES = ("background", "cat", "dog")
WITHOUT_DIGEST = re.compile(r"<otx_digest [^>]*/>")


@functools.cache
def made() -> Path:
    """A folder with ``weights.pth``, ``openvino.xml``, ``model.onnx`` and ``openvino.zip`` of one network."""
    folder = Path(tempfile.mkdtemp(prefix="otx-fuzz-"))
    torch.manual_seed(0)
    chosen = small_template()
    network = build_model(chosen, len(NAMES))
    labels = Labels(NAMES, default_colors(len(NAMES)), background=0)
    write_weights(folder / "weights.pth", network.state_dict(), labels, chosen, "random numbers")
    model = export(folder / "weights.pth", folder / "ir").model
    export(folder / "weights.pth", folder / "onnx", "onnx")
    deploy(model, folder / "zip")
    return folder


@functools.cache
def trained() -> Trainer:
    """A short training that is over, with its checkpoint."""
    folder = made()
    draw_dataset(folder, images=5, size=64, seed=0)
    (folder / "small.yaml").write_text(small_template().as_yaml())
    with patch.object(Trainer, "fit", autospec=True, side_effect=Trainer.fit) as fit:
        train_briefly(
            folder, folder / "run", template=folder / "small.yaml", parameters={"learning_parameters.num_iters": 1}
        )
    training: Trainer = fit.call_args.args[0]
    return training


def write_state(root: Path) -> None:
    shutil.copy(trained().run.checkpoint, root / "state.pth")


def copied(*files: str, digest: bool = True) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        for name in files:
            shutil.copy(made() / name, root)
        for xml in root.glob("*.xml") if not digest else ():
            xml.write_text(WITHOUT_DIGEST.sub("", xml.read_text()))

    return make


def use(root: Path, path: Path) -> Any:
    """Open the model of the folder and let it work."""
    model = next(file for file in sorted(root.iterdir()) if file.suffix != ".bin")
    return predict_mask(load_predictor(model, device="cpu" if model.suffix == ".pth" else None), IMAGE)


def model(file: str, *files: str, mutation: Mutation = bytes_changed, share: float, digest: bool = True) -> Kind:
    """A file of a model that is opened and used."""
    return Kind(copied(*files, digest=digest), file, use, mutation, share)


IMAGE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
IR = ("ir/openvino.xml", "ir/openvino.bin")

MODEL_KINDS: dict[str, Kind] = {
    "weights.pth": Kind(copied("weights.pth"), "*.pth", lambda root, path: read_weights(path), tensors_changed, 0.1),
    "weights.pth, used": model("*.pth", "weights.pth", mutation=tensors_changed, share=0.02),
    "state.pth": Kind(
        write_state,
        "state.pth",
        lambda root, path: trained().load_state_dict(read_checkpoint(path)),
        tensors_changed,
        0.1,
    ),
    "openvino.xml": model("*.xml", *IR, mutation=words_changed, share=0.03),
    "openvino.xml without digest": model("*.xml", *IR, mutation=words_changed, share=0.03, digest=False),
    "openvino.bin without digest": model("*.bin", *IR, share=0.02, digest=False),
    "model.onnx": model("*.onnx", "onnx/model.onnx", share=0.03),
    "openvino.zip": model("*.zip", "zip/openvino.zip", share=0.03),
    "config.json in a package": model(
        "*.zip", "zip/openvino.zip", mutation=member_changed("model/config.json", json_changed), share=0.03
    ),
}
