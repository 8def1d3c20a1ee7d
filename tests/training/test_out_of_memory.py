"""Errors that mean "out of memory", made by really asking for too much."""

from __future__ import annotations

import pytest
import torch

from otx_seg.training.out_of_memory import is_out_of_memory


def test_torch_running_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_other_errors() -> None:
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert not is_out_of_memory(ValueError("not enough memory of what you said"))
