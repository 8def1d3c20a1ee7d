"""The networks of a training with the best validation scores, whose mean is tried at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from otx_seg.errors import UsageError
from otx_seg.runtime.plain_files import number, shown, whole_number
from otx_seg.workspace.atomic import write_tensors
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.tensor_file import read_tensors, unlike

logger = logging.getLogger(__name__)


class Scored(NamedTuple):
    """A network that was validated: its score, 0..1, and the epochs begun and the steps finished then."""

    score: float
    epoch: int
    step: int


class BestNetworks:
    """Keeps the weights of the best networks so far as files of the run, on the main process.

    A file that is no longer needed is deleted once a checkpoint without it is written: from the one before, the run
    may have to continue. So there are `count` files, and one more between a validation and its checkpoint.

    Args:
        run: whose folder they are in.
        count: how many networks are kept at most; 0: none.
        writes: whether this process does.
    """

    def __init__(self, run: RunFolder, count: int, writes: bool) -> None:
        self.run, self.count, self.writes = run, count, writes
        self.kept: list[Scored] = []

    def note(self, found: Scored, network: nn.Module) -> None:
        """Keep a network if it is among the best; of two with the same score the later one is better.

        After the same step it takes the place of the one before.
        """
        others = [one for one in self.kept if one.step != found.step]
        best = sorted([*others, found], key=lambda one: (one.score, one.step), reverse=True)[: self.count]
        if found in best and self.writes:
            tensors = {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
            write_tensors(self.run.best_network(found.step), tensors)
        self.kept = best

    def forget(self) -> None:
        """Keep none; the files go after the next checkpoint."""
        self.kept = []

    def delete_others(self) -> None:
        """Delete the files that are not needed to continue from the present state."""
        if self.count and self.writes:
            needed = {self.run.best_network(one.step) for one in self.kept}
            for file in self.run.best_networks():
                if file not in needed:
                    file.unlink(missing_ok=True)

    def read(self, like: nn.Module) -> Iterator[tuple[Scored, dict[str, Tensor]]]:
        """The networks whose files are there and whole, the best first; a warning of others.

        Args:
            like: what they are the tensors of.
        """
        for one in self.kept:
            file = self.run.best_network(one.step)
            try:
                tensors = read_tensors(file)
                odd = next(unlike(tensors, like.state_dict()), None) if isinstance(tensors, dict) else "all of it"
                if odd is not None:
                    raise UsageError(f"{file}: does not fit the network ({odd})")
            except UsageError as error:
                logger.warning(
                    "the average of the best networks is made without that of epoch %d: %s", one.epoch, error
                )
            else:
                yield one, tensors

    def state_dict(self) -> dict[str, Any]:
        return {"kept": [list(one) for one in self.kept]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """
        Raises:
            ValueError: it is not what `state_dict` gives.
        """
        kept = state["kept"]
        if not isinstance(kept, list) or len(kept) > self.count:
            raise ValueError(f"best_networks.kept is {shown(kept)}, not up to {self.count} networks")
        for one in kept:
            if not isinstance(one, list) or len(one) != len(Scored._fields) or any(isinstance(x, str) for x in one):
                raise ValueError(f"best_networks.kept has {shown(one)}, not score, epoch and step")
            number(one[0], 0, 1, "best_networks.score")
            for value in one[1:]:
                whole_number(value, 0, 10**12, "best_networks.epoch or step")
        self.kept = [Scored(*one) for one in kept]
