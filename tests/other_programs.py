"""Masks by programs that know nothing of this toolkit, and how far they agree with `otx predict`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch

from otx_seg.datasets import Subset
from otx_seg.labels import Labels
from otx_seg.metrics.confusion import confusion_matrix, scores
from otx_seg.runtime.openvino_core import openvino_core

CAMVID = Path(os.environ.get("OTX_SEG_CAMVID", Path(__file__).parents[1] / "../shared/data/camvid"))

MaskOf = Callable[[np.ndarray], np.ndarray]
"""uint8 RGB (H, W, 3) -> the label of each pixel (H, W)."""


def by_plain_openvino(model: Path) -> MaskOf:
    """Nothing but OpenVINO, told to compute in 32 bits."""
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    height, width = compiled.input().shape[2:]
    return lambda image: _mask(compiled(_resized(image, height, width))[0][0], image)


def by_plain_onnxruntime(model: Path) -> MaskOf:
    """Nothing but ONNX Runtime."""
    session = onnxruntime.InferenceSession(model)
    height, width = session.get_inputs()[0].shape[2:]
    return lambda image: _mask(session.run(["output"], {"image": _resized(image, height, width)})[0][0], image)


def by_model_api(model: Path) -> MaskOf:
    """OpenVINO Model API without any settings."""
    from model_api.models import SegmentationModel

    wrapped = SegmentationModel.create_model(str(model), device="CPU")
    return lambda image: np.asarray(wrapped(image).resultImage)


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.transpose(2, 0, 1)[None].astype(np.float32)


def _mask(probabilities: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.argmax([cv2.resize(plane, image.shape[1::-1]) for plane in probabilities], axis=0)


def compared(
    subset: Subset, count: int, labels: Labels, mask_of: MaskOf, ours: Iterable[np.ndarray]
) -> tuple[float, float, float]:
    """Compare masks of a subset's first images with ours.

    Returns:
        The share of pixels on which both agree, and the Dice Average of theirs and of ours, each 0..1.
    """
    agreed = []
    by_them, by_us = (torch.zeros(len(labels), len(labels), dtype=torch.int64) for _ in range(2))
    for sample, own in zip(subset.samples[:count], ours, strict=True):
        truth, theirs = torch.from_numpy(subset.read_mask(sample)), mask_of(subset.read_image(sample))
        agreed.append((theirs == own).mean())
        by_them += confusion_matrix(torch.from_numpy(theirs.astype(np.uint8)), truth, len(labels))
        by_us += confusion_matrix(torch.from_numpy(own), truth, len(labels))
    return float(np.mean(agreed)), scores(by_them, labels).dice_average, scores(by_us, labels).dice_average
