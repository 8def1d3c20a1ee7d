"""Hierarchical multi-scale attention (Tao et al. 2020, https://arxiv.org/abs/2005.10821)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from mmseg.models.segmentors import CascadeEncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor
from torch.nn.functional import interpolate

from otx_seg.models.resampling import resize_bilinear
from otx_seg.models.segmentors import TrainingLogits
from otx_seg.template.scales import check_scales, scale_outputs


class _Look(NamedTuple):
    """What the network finds at one scale: logits of each stage, where to trust them, and the backbone's levels."""

    of_stages: list[Tensor]
    attention: Tensor
    features: Sequence[Tensor]


@MODELS.register_module()
class MultiScaleAttention(CascadeEncoderDecoder):
    """The same cascade at several scales of an image; where to trust which of them is learned.

    1. The image is resized to each scale, and backbone and heads give logits and an attention for each.
    2. From the largest scale to the smallest, the logits so far and those of the scale are mixed: a share `attention`
       of the latter, and the rest of the former. Both have the size of those of the scale, or of the image if that is
       larger (section 3.2 of the paper).
    3. The logits of the earlier stages are mixed by the same attention.

    Any scales can be chosen later, because each attention is about one scale and what is finer. The paper mixes logits
    that were enlarged to the image; here they have their own size, and what was mixed is enlarged.
    """

    def __init__(self, train_scales: Sequence[float], test_scales: Sequence[float], **kwargs: Any) -> None:
        """
        Args:
            train_scales: factors of the image's size in training, two or more, 1 among them; each has an output.
            test_scales: those of the main output.
            kwargs: of mmseg's `CascadeEncoderDecoder`; the last head has to have `with_attention`.
        """
        super().__init__(**kwargs)
        check_scales(test_scales)
        check_scales(train_scales)
        if len(train_scales) < 2 or 1 not in train_scales:
            raise ValueError(f"train_scales is {list(train_scales)}; it needs 1 and another scale to learn attention")
        if not hasattr(self.decode_head[-1], "with_attention"):
            raise ValueError(f"its last head, {type(self.decode_head[-1]).__name__}, has no attention for scales")
        self.train_scales, self.test_scales = tuple(train_scales), tuple(test_scales)
        self.further_outputs = scale_outputs(self.train_scales)

    def main_logits(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> logits (B, K, h, w) of the `test_scales`."""
        return self._mixed(self._looks(images, self.test_scales))[-1]

    def training_logits(self, images: Tensor) -> TrainingLogits:
        """Those of the `train_scales`: mixed for each stage, and of the main head at each scale."""
        looks = self._looks(images, self.train_scales)
        single = [looks[scale].of_stages[-1] for scale in self.train_scales]
        further = dict(zip(self.further_outputs, single, strict=True))
        return TrainingLogits(self._mixed(looks), further, looks[1].features)

    def _looks(self, images: Tensor, scales: Sequence[float]) -> dict[float, _Look]:
        # What hooks see last belongs to the image as it is, or nearly so.
        order = sorted(scales, key=lambda scale: -abs(math.log(scale)))
        return {scale: self._look(self._scaled(images, scale)) for scale in order}

    def _scaled(self, images: Tensor, scale: float) -> Tensor:
        if scale == 1:
            return images
        # By a factor, since a size worked out in Python would be fixed in an exported graph.
        return interpolate(images, scale_factor=scale, mode="bilinear", align_corners=self.align_corners)

    def _look(self, images: Tensor) -> _Look:
        features = self.backbone(images)
        first, *between, main = self.decode_head
        of_stages = [first(features)]
        for head in between:
            of_stages.append(head(features, of_stages[-1]))
        logits, attention = main.with_attention(features, of_stages[-1])
        return _Look([*of_stages, logits], attention, features)

    def _mixed(self, looks: dict[float, _Look]) -> list[Tensor]:
        """The logits of each stage, mixed over the scales."""
        largest, *smaller = sorted(looks, reverse=True)
        mixed = looks[largest].of_stages
        for scale in smaller:
            look = looks[scale]
            size = look.attention.shape[2:] if scale >= 1 else mixed[-1].shape[2:]
            trust = self._resized(look.attention, size)
            parts = zip(look.of_stages, mixed, strict=True)
            mixed = [
                self._resized(look.attention * logits, size) + (1 - trust) * self._resized(finer, size)
                for logits, finer in parts
            ]
        return mixed

    def _resized(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return x if x.shape[2:] == size else resize_bilinear(x, size, self.align_corners)
