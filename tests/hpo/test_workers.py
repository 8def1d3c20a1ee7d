"""Which GPU and how many threads each process of a search gets."""

from __future__ import annotations

import pytest
import torch

from otx_seg.hpo.workers import _environment, visible_gpus


@pytest.mark.parametrize(
    ("visible", "gpus", "given"),
    [(None, 2, ["0", "1", "0"]), ("5,7", 2, ["5", "7", "5"]), ("GPU-ab", 1, ["GPU-ab"] * 3)],
)
def test_processes_take_turns_on_the_visible_gpus(
    visible: str | None, gpus: int, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert len(visible_gpus()) == gpus
    assert [_environment(index, 3)["CUDA_VISIBLE_DEVICES"] for index in range(3)] == given


def test_without_a_gpu_processes_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert visible_gpus() == []
    assert [_environment(index, 3) for index in range(3)] == [{"OMP_NUM_THREADS": "2"}] * 3
