"""A loss that is not a number is found, and named with its step and files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from otx_seg.errors import OtxError
from otx_seg.training.loss_guard import LossGuard


def test_the_step_and_the_files_are_named(tmp_path: Path) -> None:
    guard = LossGuard(3, tmp_path / "state.pth")
    guard.note(1, "loss", torch.tensor(0.5), ["a.png"])
    guard.note(2, "loss", torch.tensor(float("nan")), ["b.png", "c.png"])
    with pytest.raises(OtxError, match=r"became nan at step 2, with the images b.png, c.png; nothing was saved"):
        guard.note(3, "loss", torch.tensor(0.5), ["d.png"])


def test_the_last_good_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.pth").touch()
    guard = LossGuard(1, tmp_path / "state.pth")
    with pytest.raises(OtxError, match=r"norm of the gradient became inf .*state.pth"):
        guard.note(9, "norm of the gradient", torch.tensor(float("inf")), ["a.png"])


def test_looked_at_losses_are_not_looked_at_again(tmp_path: Path) -> None:
    guard = LossGuard(5, tmp_path)
    guard.note(1, "loss", torch.tensor(float("nan")), [])
    guard.forget()
    guard.check()
