"""A checkpoint with anything odd in it is refused with what to do, or resumed from; nothing else happens."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from brief_training import train_briefly
from odd_values import ODD, refused_or_taken

from otx_seg.training.checked_state import check_optimizer
from otx_seg.training.checkpoint import read_checkpoint
from otx_seg.training.trainer import Trainer


@pytest.fixture(scope="module")
def training(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training that is over."""
    kept: list[Trainer] = []
    fit = Trainer.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda self: kept.append(self) or fit(self))
        train_briefly(drawn_data, tmp_path_factory.mktemp("checked") / "run")
    return kept[0]


@pytest.fixture(scope="module")
def whole(training: Any) -> Any:
    return torch.load(training.run.checkpoint, weights_only=True)


@pytest.fixture
def small(whole: Any) -> Any:
    """As `whole`, without the tensors, which are looked at by the training alone."""
    return {**whole, "algorithm": {}, "optimizer": {}, "average": {}}


PLACES = [
    *[(key,) for key in ("algorithm", "optimizer", "learning_rate", "early_stopping", "position", "random")],
    *[(key,) for key in ("template", "origin", "command", "processes", "version")],
    *[("position", key) for key in ("epoch", "batch", "step", "batch_size", "elapsed_s", "best_score", "ended")],
    *[("random", key) for key in ("python", "numpy", "torch", "cuda")],
    *[("random", "python", index) for index in range(3)],
    *[("random", "numpy", index) for index in range(5)],
    ("random", "python", 1, 0),
    ("learning_rate", "best_score"),
    ("early_stopping", "stalled"),
    ("averaged",),
    ("finished",),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_odd_values(small: Any, tmp_path: Path, place: tuple[Any, ...]) -> None:
    refusals = 0
    for value in ODD.values():
        state = copy.deepcopy(small)
        held = state
        for key in place[:-1]:
            held = held[key]
        held[place[-1]] = value
        torch.save(state, tmp_path / "state.pth")
        message = refused_or_taken(lambda: read_checkpoint(tmp_path / "state.pth"))
        assert message is None or "state.pth: " in message
        refusals += message is not None
    free = (("origin",), ("position", "ended"), ("random", "python", 2), ("random", "numpy", 3))
    assert place in free or refusals > len(ODD) / 2


@pytest.mark.parametrize(
    "key", ["algorithm", "optimizer", "position", "random", "template", "best_confusion", "origin"]
)
def test_a_part_is_missing(small: Any, tmp_path: Path, key: str) -> None:
    torch.save({name: value for name, value in small.items() if name != key}, tmp_path / "state.pth")
    message = refused_or_taken(lambda: read_checkpoint(tmp_path / "state.pth"))
    assert message is not None
    assert "start a new run with --load-weights" in message


def first_moment(state: Any) -> Any:
    return state["optimizer"]["state"][0]


def change(name: str, state: Any) -> None:
    """One thing that only a training can tell to be wrong."""
    parameters = state["algorithm"]
    key = next(key for key, value in parameters.items() if value.ndim > 1)
    if name == "tensor missing":
        del parameters[key]
    elif name == "tensor of another shape":
        parameters[key] = parameters[key][:1]
    elif name == "tensor that is a text":
        parameters[key] = "abc"
    elif name == "moment of another shape":
        first_moment(state)["exp_avg"] = torch.zeros(3, 3, 3)
    elif name == "moment missing":
        del first_moment(state)["exp_avg_sq"]
    elif name == "moment missing everywhere":
        for held in state["optimizer"]["state"].values():
            del held["exp_avg_sq"]
    elif name == "no moments":
        state["optimizer"]["state"] = {}
    elif name == "tensor of integers":
        parameters[key] = parameters[key].long()
    elif name == "moment that is a text":
        first_moment(state)["exp_avg"] = "abc"
    elif name == "squares below 0":
        first_moment(state)["exp_avg_sq"] -= 1
    elif name == "confusion beyond reason":
        state["best_confusion"] = state["best_confusion"] + 2**62
    elif name == "average that is none":
        state["average"] = None
    elif name == "step below 0":
        first_moment(state)["step"] = torch.tensor(-3.0)
    elif name == "parameter that is missing":
        state["optimizer"]["state"][99_999] = first_moment(state)
    elif name == "other betas":
        state["optimizer"]["param_groups"][0]["betas"] = (0.1, 0.2)
    elif name == "groups missing":
        state["optimizer"]["param_groups"] = []
    elif name == "confusion of other labels":
        state["best_confusion"] = torch.zeros(2, 2, dtype=torch.int64)
    elif name == "confusion below 0":
        state["best_confusion"] = state["best_confusion"] - 10**9
    elif name == "stopping of another kind":
        state["early_stopping"] = {"goal": 0.5}
    elif name == "average missing":
        del state["average"]
    elif name == "beyond the last epoch":
        state["position"]["epoch"] = 10**6
    else:
        state["position"] |= {"batch": 10**6, "ended": ""}


KINDS = """tensor missing; tensor of integers; moment missing everywhere; no moments; squares below 0;
confusion beyond reason; average that is none;
tensor of another shape; tensor that is a text; moment of another shape; moment missing;
moment that is a text; step below 0; parameter that is missing; other betas; groups missing;
confusion of other labels; confusion below 0; stopping of another kind; average missing; beyond the last epoch;
beyond the last batch"""


@pytest.mark.parametrize("kind", [kind.strip() for kind in KINDS.split(";")])
def test_what_does_not_fit(training: Any, whole: Any, kind: str) -> None:
    state = copy.deepcopy(whole)
    change(kind, state)
    message = refused_or_taken(lambda: training.resume(state))
    assert message is not None
    assert str(training.run.checkpoint) in message
    assert "cannot be resumed from" in message
    assert "start a new run with --load-weights" in message


def test_bits(training: Any, tmp_path: Path) -> None:
    content = training.run.checkpoint.read_bytes()
    for position in range(0, len(content), len(content) // 20):
        damaged = bytearray(content)
        damaged[position] ^= 16
        (tmp_path / "state.pth").write_bytes(damaged)
        message = refused_or_taken(lambda: read_checkpoint(tmp_path / "state.pth"))
        assert message is not None
        assert "is damaged" in message


@pytest.mark.parametrize("name", ["AdamW", "SGD", "Adafactor", "RMSprop"])
def test_what_optimizers_keep(name: str) -> None:
    network = torch.nn.Linear(3, 2)  # tensors of two sides and of one
    optimizer = getattr(torch.optim, name)(network.parameters(), lr=0.1)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    check_optimizer(state, optimizer, 1)
    for index, name in ((index, name) for index, held in state["state"].items() for name in held):
        other = copy.deepcopy(state)
        other["state"][index][name] = torch.zeros(7, 7)
        with pytest.raises(ValueError, match=rf"optimizer\.state\.{index}\.{name} does not fit its parameter"):
            check_optimizer(other, optimizer, 1)


def test_what_is_whole_is_taken(training: Any, whole: Any) -> None:
    assert read_checkpoint(training.run.checkpoint)["position"] == whole["position"]
    assert refused_or_taken(lambda: training.resume(whole)) is None
