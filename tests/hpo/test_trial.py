"""What a trial of a search gets of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.datasets import DataSpec, open_training
from otx_seg.datasets.loading import memory_cache
from otx_seg.hpo import trial
from otx_seg.hpo.trial import TrialContext
from otx_seg.template import load
from otx_seg.training.context import TrainContext
from otx_seg.workspace.run_folder import RunFolder


def test_trials_at_once_share_half_of_what_is_free(
    drawn_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_cache, "free_memory", lambda: 32_000_000_000)
    asked = load("Lite-HRNet-s-mod2").override({"algo_backend.mem_cache_size": 64_000_000_000})
    data = open_training(DataSpec(drawn_data), seed=1)
    trial_context = TrialContext(TrainContext(asked, data, (), RunFolder(tmp_path), 1), False, at_once=4)
    sizes: list[int] = []
    monkeypatch.setattr(memory_cache, "MemoryCache", lambda size, slots: sizes.append(size))
    trial.open_shared_cache(trial_context, asked)
    monkeypatch.setattr(memory_cache, "free_memory", lambda: None)  # the system tells nothing
    trial.open_shared_cache(trial_context, asked)
    assert sizes == [4_000_000_000, 16_000_000_000]


def test_trials_at_once_share_the_loading_processes() -> None:
    template = load("Lite-HRNet-s-mod2").override({"learning_parameters.num_workers": 5})
    workers = [trial._with_its_share(template, at_once).hyper_parameters for at_once in (1, 4)]
    assert [parameters.learning_parameters.num_workers for parameters in workers] == [5, 1]
