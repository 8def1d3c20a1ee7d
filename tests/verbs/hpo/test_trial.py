"""What a trial of a search gets of the machine."""

from __future__ import annotations

import pytest

from otx_seg.datasets import memory_cache
from otx_seg.template import load
from otx_seg.verbs.hpo import trial


def test_trials_at_once_share_half_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_cache, "free_memory", lambda: 32_000_000_000)
    parameters = {"algo_backend.mem_cache_size": 64_000_000_000, "learning_parameters.num_workers": 5}
    shared = trial._with_its_share(load("Lite-HRNet-s-mod2").override(parameters), 4).hyper_parameters
    assert shared.algo_backend.mem_cache_size == 4_000_000_000
    assert shared.learning_parameters.num_workers == 1
    monkeypatch.setattr(memory_cache, "free_memory", lambda: None)  # the system tells nothing
    shared = trial._with_its_share(load("Lite-HRNet-s-mod2").override(parameters), 4).hyper_parameters
    assert shared.algo_backend.mem_cache_size == 16_000_000_000
