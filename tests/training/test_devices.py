"""Arithmetic and loader processes of a training."""

from __future__ import annotations

import pytest
import torch
from small_network import small_template

from otx_seg import algorithms
from otx_seg.errors import UsageError
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.processors import processor_count
from otx_seg.template.hyper_parameters import LearningParameters
from otx_seg.training.devices import choose_precision, choose_workers, start_accelerator


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_precision_on_a_cpu() -> None:
    assert choose_precision("auto") == "fp32"
    assert choose_precision("bf16") == "bf16"
    network = SegmentationNetwork(build_model(small_template(), 2))
    with pytest.raises(UsageError, match=r"fp16 needs a GPU"):
        start_accelerator("fp16", algorithms.build(small_template(), network, (1.0, 1.0)))


def test_workers() -> None:
    assert choose_workers(LearningParameters(num_workers=3), processes=1) == 3
    cores = processor_count()
    assert choose_workers(LearningParameters(auto_num_workers=True), processes=1) == min(cores, 8)
    assert choose_workers(LearningParameters(auto_num_workers=True), processes=2 * cores) == 0
