"""Mean Teacher: learning from images without masks beside those with.

Tarvainen & Valpola, "Mean teachers are better role models" (2017, https://arxiv.org/abs/1703.01780).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from otx_seg.algorithms.moment import Moment
from otx_seg.algorithms.pixel_losses import PixelLosses
from otx_seg.labels import IGNORE_INDEX
from otx_seg.models.network import SegmentationNetwork
from otx_seg.models.weight_average import WeightAverage


class MeanTeacher(nn.Module):
    """Trains a student on labelled images and on its teacher's opinion of the others.

    1. The teacher, whose weights are the moving average of the student's, labels the weak view of each unlabelled
       image.
    2. Pixels on which it is least certain are left out: those whose entropy is among the highest `entropy_drop` of the
       batch at the beginning, none at the end, in proportion to what is left of the run.
    3. Boxes of the unlabelled images and of their labels change places within the batch (CutMix, see `mix_boxes`).
    4. The student learns the masks of the labelled images, and the teacher's labels from the strong views, which have
       the same geometry. The losses are means over the pixels that are kept, which is the re-weighting by their number
       that OTX 1.x does.
    5. After the optimiser's step the teacher follows the student: teacher = keep * teacher + (1 - keep) * student.

    Args:
        network: the student, initialised.
        losses: compare logits (B, K, H, W) with a mask (B, H, W).
        unsupervised_weight: of the losses on unlabelled images, 0 or more; 0 leaves supervised training.
        start_epoch: epochs of labelled images alone at the beginning, 0 or more.
        ramp_share: share of the run over which that weight rises from 0, 0..1.
        teacher_keep: `keep`, 0..1.
        entropy_drop: share of the pixels that step 2 leaves out at first, 0..1.
        cut_mix: chance that an image gets a box of another one, 0..1.
    """

    views: tuple[str, ...] = ("labelled", "unlabelled")
    idle_parameters = False

    def __init__(
        self,
        network: SegmentationNetwork,
        losses: PixelLosses,
        unsupervised_weight: float,
        start_epoch: int,
        ramp_share: float,
        teacher_keep: float,
        entropy_drop: float,
        cut_mix: float,
    ) -> None:
        super().__init__()
        self.student = network
        self.losses = losses
        self.average = WeightAverage(network, teacher_keep, ramp=False)
        self.teacher = self.average.averaged.requires_grad_(False)  # a part, so that checkpoints hold it
        self.unsupervised_weight = unsupervised_weight
        self.start_epoch, self.ramp_share = start_epoch, ramp_share
        self.entropy_drop, self.cut_mix = entropy_drop, cut_mix

    def training_step(self, batch: dict[str, dict[str, Any]], moment: Moment) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)},
                "unlabelled": {"image", "strong": uint8 (U, 3, H, W), "mask": uint8 (U, H, W)}}``; the unlabelled masks
                are 255 outside the image.
            moment: how far the training is.

        Returns:
            The scalar to minimise under ``"loss"``, and its parts under names of their own.
        """
        labelled, unlabelled = batch["labelled"], batch["unlabelled"]
        weight = self._weight(moment)
        if weight == 0:
            return self.losses(self.student(labelled["image"]), labelled["mask"])
        # 1. pseudo-labels
        with torch.no_grad():
            certainty = self.teacher(unlabelled["image"]).softmax(dim=1)  # (U, K, H, W)
            # 2. without the least certain
            pseudo = drop_uncertain(certainty, unlabelled["mask"], self.entropy_drop * (1 - moment.progress))
        # 3. boxes
        strong, pseudo = mix_boxes(unlabelled["strong"], pseudo, self.cut_mix)
        # 4. both losses. One pass, so that the statistics of batch normalisation are those of both kinds of images.
        logits = self.student(torch.cat((labelled["image"], strong)))
        known, guessed = logits.split((len(labelled["image"]), len(strong)))
        supervised = self.losses(known, labelled["mask"])
        unsupervised = weight * self.losses(guessed, pseudo)["loss"]
        kept = (pseudo != IGNORE_INDEX).float().mean()
        total = supervised.pop("loss") + unsupervised
        return {"loss": total, **supervised, "unsupervised": unsupervised.detach(), "kept pixels": kept}

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def _weight(self, moment: Moment) -> float:
        if moment.epoch < self.start_epoch:
            return 0.0
        ramp = min(1.0, moment.progress / self.ramp_share) if self.ramp_share > 0 else 1.0
        return self.unsupervised_weight * ramp

    def after_step(self) -> None:
        """Let the teacher follow."""
        # 5. moving average
        self.average.update()

    def train(self, mode: bool = True) -> MeanTeacher:
        """As `nn.Module.train`; the teacher always works with its own statistics."""
        super().train(mode)
        self.teacher.eval()
        return self

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported: the student."""
        return self.student


def drop_uncertain(probabilities: Tensor, outside: Tensor, share: float) -> Tensor:
    """The most probable label of each pixel, without the least certain pixels.

    Args:
        probabilities: (U, K, H, W), summing to 1 over K.
        outside: integer (U, H, W), 255 for pixels that do not count at all.
        share: of the counted pixels of the batch to drop, those of the highest entropy, 0..1.

    Returns:
        int64 (U, H, W), 255 for dropped pixels and for those outside.
    """
    labels = probabilities.argmax(dim=1)
    counted = outside != IGNORE_INDEX
    dropped = round(share * int(counted.sum()))
    if dropped:
        entropy = -torch.special.xlogy(probabilities, probabilities).sum(dim=1)
        places = entropy.masked_fill(~counted, -1).flatten().topk(dropped, sorted=False).indices
        labels.view(-1)[places] = IGNORE_INDEX
    return labels.masked_fill(~counted, IGNORE_INDEX)


def mix_boxes(images: Tensor, labels: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Give some images a box of the next image in the batch, labels included.

    French et al., "Semi-supervised semantic segmentation needs strong, varied perturbations" (2020,
    https://arxiv.org/abs/1906.01916): an object's edge need not lie where its surroundings suggest. A box covers half
    of the image; its shape and place are random.

    Args:
        images: (U, 3, H, W).
        labels: (U, H, W).
        probability: chance of a box per image, 0..1.

    Returns:
        new images and labels of the same shapes.
    """
    count, height, width = labels.shape
    inside = torch.zeros(count, height, width, dtype=torch.bool)
    for index in range(count):
        chance, shape, top, left = torch.rand(4).tolist()
        if chance >= probability:
            continue
        tall = 0.5**shape  # share of the height, 0.5..1; the width makes it half of the area
        rows, columns = round(tall * height), round(0.5 / tall * width)
        row, column = round(top * (height - rows)), round(left * (width - columns))
        inside[index, row : row + rows, column : column + columns] = True
    inside = inside.to(labels.device)
    mixed = torch.where(inside[:, None], images.roll(1, dims=0), images)
    return mixed, torch.where(inside, labels.roll(1, dims=0), labels)
