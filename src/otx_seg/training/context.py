"""What a training works with, settled before its first step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from otx_seg.datasets import TrainingData
from otx_seg.datasets.loading.memory_cache import Cache
from otx_seg.template import Template
from otx_seg.template.parameters import list_parameters
from otx_seg.training.loggers import Loggers
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.teacher_file import TeacherFile


@dataclass(frozen=True)
class TrainContext:
    """What travels together from a command to the training loop.

    Attributes:
        template: the resolved template; every number comes from it.
        data: training and validation subsets.
        label_weights: how much the pixels of each label count, see `algorithms.build`; none where nothing is labelled.
        run: the folder results go to.
        seed: of the data order and the augmentations (the weights are initialised before).
        loggers: receive what is told, on the main process.
        cache: of decoded files, which several trainings with the same data may share; None: one of its own.
        teacher: a trained model to learn from too; None: there is none.
    """

    template: Template
    data: TrainingData
    label_weights: tuple[float, ...]
    run: RunFolder
    seed: int
    loggers: Loggers = field(default_factory=Loggers)
    cache: Cache | None = None
    teacher: TeacherFile | None = None

    def parameters(self) -> dict[str, Any]:
        """What a run is told from others by: template, data, seed, and every hyper-parameter by ``group.name``."""
        data, labels = self.data, self.data.train.labels
        return {
            "template": self.template.name,
            "seed": self.seed,
            "data": str(data.train.root),
            "training images": len(data.train),
            "validation images": 0 if data.val is None else len(data.val),
            "unlabelled images": 0 if data.unlabelled is None else len(data.unlabelled),
            "labels": ", ".join(labels.names),
            **{parameter.name: parameter.value for parameter in list_parameters(self.template)},
        }
