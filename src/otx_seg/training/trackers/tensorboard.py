"""TensorBoard: event files in the run, to look at with ``tensorboard --logdir RUN``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import TensorBoardTracker
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from otx_seg.training.tracked_run import Tracker


class Tensorboard(Tracker):
    """Writes event files."""

    def begin(self, step: int, run_id: str | None) -> None:
        # TensorBoard takes back what older files hold of steps from this one on: an interrupted run repeats them.
        self.carrier = TensorBoardTracker("", self.folder, purge_step=step + 1)
        self.carrier.start()
        self.writer: SummaryWriter = self.carrier.writer
        self._begun = step

    def show_parameters(self, values: dict[str, Any]) -> None:
        # As hyper-parameters they would be a run of their own, at each begin another one.
        self.add_table(
            "parameters", ("parameter", "value"), [(name, str(values[name])) for name in values], self._begun
        )

    def add_picture(self, name: str, pixels: NDArray[np.uint8], step: int) -> None:
        self.writer.add_image(name, pixels, step, dataformats="HWC")

    def add_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[str | int]], step: int) -> None:
        lines = [columns, ["---"] * len(columns), *rows]
        text = "\n".join(" | ".join(str(cell).replace("|", r"\|") for cell in line) for line in lines)
        self.carrier.log({name: text}, step=step)

    def add_file(self, path: Path) -> None:
        self.carrier.log({"report": str(path.resolve())})
