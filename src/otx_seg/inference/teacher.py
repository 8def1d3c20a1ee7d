"""A trained model as the teacher of another network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from otx_seg.errors import UsageError
from otx_seg.inference.predictor import load_predictor
from otx_seg.inference.torch_predictor import TorchPredictor
from otx_seg.labels import Labels
from otx_seg.models.resampling import resize_bilinear
from otx_seg.runtime.predictor import Predictor, no_probabilities
from otx_seg.workspace.teacher_file import TeacherFile

_LEAST = torch.finfo(torch.float32).tiny  # of probabilities: a smaller one is 0, which has no logarithm


class Teacher:
    """Answers for the images of a student. It is never trained, and is no part of any network or its state.

    What it sees is the student's view, resized bilinearly to its own input size if that is another one: it knows
    things at the size they have there. It normalises images itself. Its answers are log-probabilities, whatever
    program runs it: the logits up to a constant for each pixel, not moved by the threshold of a binary network. These,
    not the probabilities, are resized bilinearly to the view.

    Args:
        predictor: the model. A network in torch moves to where the images are; others run on the CPU.
        order: for each label of the student its index among those of the model.
    """

    def __init__(self, predictor: Predictor, order: list[int]) -> None:
        self._predictor, self._order = predictor, order
        self._moved = _moved_by_threshold(predictor)
        if isinstance(predictor, TorchPredictor):
            predictor.network.eval().requires_grad_(False)

    @torch.no_grad()
    def log_probabilities(self, images: Tensor) -> Tensor:
        """The logarithm of the probability of each label at each pixel.

        Args:
            images: uint8 RGB (B, 3, H, W).

        Returns:
            float32 (B, K, H, W) on the device of the images, finite, labels in the student's order. After resizing
            they do not quite sum to 1.
        """
        view = (images.shape[-2], images.shape[-1])
        own = self._predictor.input_size
        if own != view:
            images = resize_bilinear(images.float(), own, align_corners=False).round().to(torch.uint8)
        found = self._answer(images)
        if self._moved:
            found[:, 1] += self._moved
        found = found[:, self._order]
        return found if own == view else resize_bilinear(found, view, align_corners=False)

    def _answer(self, images: Tensor) -> Tensor:
        if isinstance(self._predictor, TorchPredictor):
            network = self._predictor.network.to(images.device)
            return network(images).float().log_softmax(dim=1)
        probabilities = torch.from_numpy(self._predictor.probabilities(images.cpu().numpy()))
        return probabilities.clamp(min=_LEAST).log().to(images.device)


def _moved_by_threshold(predictor: Predictor) -> float:
    """By how much the log-odds of label 1 are less in what a binary network answers than in what its losses saw."""
    parameters = ((predictor.template or {}).get("hyper_parameters") or {}).get("learning_parameters") or {}
    threshold = parameters.get("binary_threshold", 0.5) if parameters.get("binary") else 0.5
    return math.log(threshold / (1 - threshold))


def open_teacher(file: TeacherFile, labels: Labels) -> Teacher:
    """A teacher for a student of these labels.

    Raises:
        UsageError: the file is missing or damaged, is a backbone alone, or its labels are other ones. Their order may
            be another one.
    """
    predictor = open_model_of(file)
    names = predictor.labels.names
    lacking = [name for name in labels.names if name not in names]
    unknown = [name for name in names if name not in labels.names]
    if lacking or unknown:
        found = f"it lacks {', '.join(map(repr, lacking))}" if lacking else ""
        found += " and " if lacking and unknown else ""
        found += f"it has {', '.join(map(repr, unknown))} besides" if unknown else ""
        raise UsageError(
            f"--teacher {file.path}: has other labels than the data: {found}; train a teacher on these labels, or "
            "leave it out"
        )
    return Teacher(predictor, [names.index(name) for name in labels.names])


def open_model_of(file: TeacherFile) -> Predictor:
    """The model in a teacher's file.

    Raises:
        UsageError: it is missing or damaged, is a backbone alone, or gives masks.
    """
    try:
        with torch.random.fork_rng(devices=[]):  # the weights that a new network begins with are drawn, and replaced
            predictor = load_predictor(file.path, device="cpu")
        if predictor.gives_masks:
            raise no_probabilities(file.path)
        return predictor
    except UsageError as error:
        raise UsageError(f"--teacher {error}") from error
