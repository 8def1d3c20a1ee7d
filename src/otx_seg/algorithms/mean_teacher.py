"""Mean Teacher: semi-supervised training on images with and without masks.

Tarvainen & Valpola, "Mean teachers are better role models" (2017, https://arxiv.org/abs/1703.01780).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from otx_seg.algorithms.contrast import Pair
from otx_seg.algorithms.detcon import DetCon
from otx_seg.algorithms.distillation import Distillation
from otx_seg.algorithms.mixing import mix_boxes, paste_labels
from otx_seg.algorithms.pixel_losses import OutputLosses, PixelLosses
from otx_seg.algorithms.progress import TrainProgress
from otx_seg.algorithms.prototypes import Prototypes, classifier_inputs
from otx_seg.labels import IGNORE_INDEX
from otx_seg.models.network import SegmentationNetwork, SegmentationOutput
from otx_seg.models.resampling import resize_bilinear
from otx_seg.models.weight_average import WeightAverage


class _Masks(NamedTuple):
    """Masks of the labelled images, (B, H, W), and of the unlabelled ones, (U, H, W); 255 where unknown."""

    labelled: Tensor
    pasted: Tensor
    taught: Tensor

    @property
    def mixed(self) -> Tensor:
        """What is known of the unlabelled images, (U, H, W)."""
        return torch.where(self.pasted != IGNORE_INDEX, self.pasted, self.taught)


class MeanTeacher(nn.Module):
    """Trains a student on labelled images and on the teacher's pseudo-labels of unlabelled ones.

    1. The teacher, whose weights are the moving average of the student's, labels the weak view of each unlabelled
       image.
    2. Pixels on which it is least certain are left out: of those that get a label in a batch, the `entropy_drop` with
       the highest entropy at the beginning, none at the end, in proportion to what is left of the run.
    3. The strong view, which has the same geometry, gets boxes of other unlabelled images (see `mix_boxes`), and
       regions of a labelled image with their ground-truth labels (see `paste_labels`).
    4. The student learns the masks of the labelled images, the ground truth of the pasted regions, and the teacher's
       pseudo-labels of the rest. Each loss is a mean over the pixels it counts, which equals the re-weighting by their
       number in OTX 1.x. Pasted regions and the rest share the weight by their areas.
    5. With another, trained teacher (see `Distillation`), its answers are learned too, on all images as the student
       has seen them: on the strong views with boxes and pasted regions, from the first step on, wherever there is an
       image.
    6. DetCon's contrast is added between a labelled image and the strong view that got regions of it, with the labels
       for regions: those of the view are the pasted ones and the pseudo-labels.
    7. After the optimiser's step the teacher follows the student: teacher = decay * teacher + (1 - decay) * student. At
       first the decay is smaller, to forget the initial weights (see `WeightAverage`).

    Args:
        network: the student, initialised.
        losses: compare the network's outputs with a mask (B, H, W).
        pseudo_losses: compare the main output (B, K, H, W) with the teacher's labels.
        prototypes: a second classifier that learns the same labels, or None; it needs the losses on unlabelled images.
        prototype_weight: of its losses.
        detcon: the contrast, around the same network, or None; it needs the losses on unlabelled images.
        contrast_weight: of the contrast.
        unsupervised_weight: of the losses on unlabelled images, 0 or more; 0 leaves supervised training.
        start_epoch: epochs without the teacher's labels at the beginning, 0 or more.
        start_share: share of the run without them at the beginning, 0..1.
        ramp_share: share of the run over which their weight then rises from 0, 0..1.
        teacher_keep: the decay, 0..1; with 1 the teacher is the initial student.
        entropy_drop: share of the pixels of each label that step 2 leaves out at first, 0..1.
        cut_mix: chance that an unlabelled image gets a box of another one, 0..1.
        label_mix: chance that it gets regions of a labelled one, 0..1.
        distillation: compares the main output with a trained teacher, or None.
    """

    idle_parameters = False

    def __init__(
        self,
        network: SegmentationNetwork,
        losses: OutputLosses,
        pseudo_losses: PixelLosses,
        prototypes: Prototypes | None,
        prototype_weight: float,
        detcon: DetCon | None,
        contrast_weight: float,
        unsupervised_weight: float,
        start_epoch: int,
        start_share: float,
        ramp_share: float,
        teacher_keep: float,
        entropy_drop: float,
        cut_mix: float,
        label_mix: float,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        pasted = ("pasted",) if label_mix > 0 else ()
        self.views: tuple[str, ...] = ("labelled", "unlabelled", *pasted) if unsupervised_weight > 0 else ("labelled",)
        self.student = network
        self.losses, self.pseudo_losses = losses, pseudo_losses
        self.prototypes, self.prototype_weight = prototypes, prototype_weight
        self.detcon, self.contrast_weight = detcon, contrast_weight
        self.average = WeightAverage(network, teacher_keep, ramp="step" if teacher_keep < 1 else "none")
        self.teacher = self.average.averaged.requires_grad_(False)  # a part, so that checkpoints hold it
        self.unsupervised_weight = unsupervised_weight
        self.start_epoch, self.start_share, self.ramp_share = start_epoch, start_share, ramp_share
        self.entropy_drop, self.cut_mix, self.label_mix = entropy_drop, cut_mix, label_mix
        self.distillation = distillation

    def training_step(self, batch: dict[str, dict[str, Any]], at: TrainProgress) -> dict[str, Tensor]:
        """The losses of one batch.

        Args:
            batch: ``{"labelled": {"image": uint8 (B, 3, H, W) RGB, "mask": uint8 (B, H, W)}, "pasted": other views of
                the same images, "unlabelled": {"image", "strong": uint8 (U, 3, H, W), "mask": uint8 (U, H, W)}}``; the
                unlabelled masks are 255 outside the image. Views that `views` does not name are not looked for.
            at: how far the training is.

        Returns:
            The scalar to minimise under ``"loss"``, and its parts under names of their own.
        """
        labelled, unlabelled = batch["labelled"], batch.get("unlabelled")
        if unlabelled is None:
            output = self.student.outputs(labelled["image"])
            return self._taught(self.losses(output, labelled["mask"]), output, labelled["image"], labelled["mask"])
        # 1. and 2. pseudo-labels without the least certain
        trust = self._pseudo_label_weight(at)
        pseudo = torch.full_like(unlabelled["mask"], IGNORE_INDEX, dtype=torch.int64)
        if trust:
            pseudo = self._pseudo_labels(unlabelled, self.entropy_drop * (1 - at.progress))
        # 3. boxes and regions
        seen = torch.cat((unlabelled["strong"], unlabelled["mask"][:, None]), dim=1)  # also where the images end
        seen, pseudo = mix_boxes(seen, pseudo, self.cut_mix)
        images, outside = seen[:, :3], seen[:, 3]
        true = torch.full_like(pseudo, IGNORE_INDEX)
        if "pasted" in batch:
            images, true = paste_labels(images, batch["pasted"]["image"], batch["pasted"]["mask"], self.label_mix)
        masks = _Masks(labelled["mask"], true, pseudo.masked_fill(true != IGNORE_INDEX, IGNORE_INDEX))
        # 4. losses. One pass, so that the statistics of batch normalisation are those of both kinds of images.
        everything = torch.cat((labelled["image"], images))
        if self.prototypes is None:
            output = self.student.outputs(everything)
            losses, unsupervised = self._labelled_and_pseudo_losses(output, masks, trust)
        else:
            with classifier_inputs(self.student.main_head) as features:
                output = self.student.outputs(everything)
            losses, unsupervised = self._labelled_and_pseudo_losses(output, masks, trust)
            second = self.prototype_weight * self._prototype_losses(self.prototypes, features[-1], masks, trust)
            losses |= {"loss": losses["loss"] + second, "prototypes": second.detach()}
        # 5. trained teacher
        outside = outside.masked_fill(true != IGNORE_INDEX, 0)
        losses = self._taught(losses, output, everything, torch.cat((labelled["mask"], outside)))
        # 6. contrast
        if self.detcon is not None:
            pair = labelled["image"], images
            contrast = self.contrast_weight * self._contrast(self.detcon, output.features, pair, masks)
            losses |= {"loss": losses["loss"] + contrast, "contrast": contrast.detach()}
        kept = (masks.taught != IGNORE_INDEX).float().mean()
        total = losses.pop("loss") + unsupervised
        return {"loss": total, **losses, "unsupervised": unsupervised.detach(), "kept pixels": kept}

    # DistributedDataParallel synchronises gradients only for what is called through `forward`.
    forward = training_step

    def _taught(
        self, losses: dict[str, Tensor], output: SegmentationOutput, images: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        """The losses, with those of a trained teacher if there is one; see `Distillation.added`."""
        return losses if self.distillation is None else self.distillation.added(losses, output.logits, images, mask)

    def _pseudo_label_weight(self, at: TrainProgress) -> float:
        """The weight of the pseudo-labels relative to the ground truth, 0..1."""
        passed = at.progress - self.start_share
        if at.epoch < self.start_epoch or passed < 0:
            return 0.0
        return min(1.0, passed / self.ramp_share) if self.ramp_share > 0 else 1.0

    @torch.no_grad()
    def _pseudo_labels(self, unlabelled: dict[str, Any], dropped: float) -> Tensor:
        teacher: Any = self.teacher.module
        # Not what it answers when it is called: the threshold of a binary network would move the student twice.
        probabilities = teacher.outputs(unlabelled["image"]).logits.softmax(dim=1)  # (U, K, H, W)
        return drop_uncertain(probabilities, unlabelled["mask"], dropped)

    def _labelled_and_pseudo_losses(
        self, output: SegmentationOutput, masks: _Masks, trust: float
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses on labelled images, and the weighted ones on unlabelled images; output of B+U images."""
        known, guessed = output.split((len(masks.labelled), len(masks.pasted)))
        losses = self.losses(known, masks.labelled)
        share = (masks.pasted != IGNORE_INDEX).float().mean()
        unsupervised = share * self.losses(guessed, masks.pasted)["loss"]
        if trust:
            unsupervised = unsupervised + trust * (1 - share) * self.pseudo_losses(guessed.logits, masks.taught)["loss"]
        return losses, self.unsupervised_weight * unsupervised

    def _prototype_losses(self, prototypes: Prototypes, features: Tensor, masks: _Masks, trust: float) -> Tensor:
        """The losses of the second classifier on the same labels; features (B+U, C, h, w)."""
        mixed = masks.mixed
        scores, apart = prototypes(features, torch.cat((masks.labelled.long(), mixed)))
        size = (mixed.shape[-2], mixed.shape[-1])
        logits = resize_bilinear(scores, size, align_corners=False)
        losses, unsupervised = self._labelled_and_pseudo_losses(SegmentationOutput(logits), masks, trust)
        return losses["loss"] + unsupervised + apart

    @staticmethod
    def _contrast(detcon: DetCon, features: Sequence[Tensor], images: Pair, masks: _Masks) -> Tensor:
        """The contrast of as many pairs as there are; features of B+U images."""
        labelled, strong = images
        pairs = min(len(labelled), len(strong))
        levels = (
            [level[:pairs] for level in features],
            [level[len(labelled) : len(labelled) + pairs] for level in features],
        )
        ids = masks.labelled[:pairs].long(), masks.mixed[:pairs]
        return detcon.contrast(levels, (labelled[:pairs], strong[:pairs]), ids)

    def after_step(self) -> None:
        """Update the teacher."""
        # 7. moving averages
        self.average.update()
        if self.detcon is not None:
            self.detcon.after_step()

    def train(self, mode: bool = True) -> MeanTeacher:
        """As `nn.Module.train`; the teacher always works with its own statistics."""
        super().train(mode)
        self.teacher.eval()
        return self

    def deployable(self) -> SegmentationNetwork:
        """The network that is evaluated, saved and exported: the student."""
        return self.student


def drop_uncertain(probabilities: Tensor, outside: Tensor, share: float) -> Tensor:
    """The most probable label of each pixel, without the least certain pixels of each label.

    Rare labels are less certain than common ones: of a share of all pixels most would be theirs.

    Args:
        probabilities: (U, K, H, W), summing to 1 over K.
        outside: integer (U, H, W), 255 for pixels that do not count at all.
        share: of the counted pixels of the batch that get a label, those of the highest entropy are dropped, 0..1.

    Returns:
        int64 (U, H, W), 255 for dropped pixels and for those outside.
    """
    labels = probabilities.argmax(dim=1).masked_fill(outside == IGNORE_INDEX, IGNORE_INDEX)
    if share > 0:
        entropy = -torch.special.xlogy(probabilities, probabilities).sum(dim=1).flatten()
        for label in set(labels.unique().tolist()) - {IGNORE_INDEX}:
            places = (labels == label).flatten().nonzero()[:, 0]
            least = entropy[places].topk(round(share * len(places)), sorted=False).indices
            labels.view(-1)[places[least]] = IGNORE_INDEX
    return labels
