"""The table of ways of learning in docs/networks.md, written by trying them: ``docs/mode_table.py [TEMPLATE ...]``.

Each is tried on two drawn images, at the smallest size that the network takes. Without names, the templates that have
no row yet are tried; `all` tries every one. Rows of templates that are gone are removed. The page is written after each
template, so that the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import copy
import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import otx_seg
from otx_seg import algorithms
from otx_seg.algorithms import TrainProgress
from otx_seg.datasets import Subset, open_folder
from otx_seg.datasets.synthetic.draw import NAMES, draw_dataset
from otx_seg.deployment.calibration import Calibration, recipe
from otx_seg.deployment.export import export
from otx_seg.deployment.quantization_aware import fine_tuning_template, worthwhile_layers
from otx_seg.deployment.ranges import quantize_network
from otx_seg.errors import OtxError
from otx_seg.inference.torch_predictor import open_checkpoint
from otx_seg.labels import Labels, default_colors
from otx_seg.models import build_model
from otx_seg.models.network import SegmentationNetwork
from otx_seg.runtime.openvino_predictor import read_ir
from otx_seg.template import Template, find_templates, load
from otx_seg.training.optimizer import build_optimizer, parameter_groups
from otx_seg.training.starting_weights import load_starting_weights
from otx_seg.workspace.weights import write_weights

PAGE = Path(__file__).with_name("networks.md")
BEGIN = "<!-- The table of ways of learning is written by `python docs/mode_table.py`. -->"
END = "<!-- End of the table of ways of learning. -->"

SUPERVISED = "supervised"
YES, NO = "yes", "no"
LABELS = Labels(NAMES, default_colors(len(NAMES)), background=0)


@dataclass(frozen=True)
class Trial:
    """What a way of learning is tried with.

    Attributes:
        template: with `side` as its input size.
        network: built from it, not trained; to be copied.
        data: images and masks of that size.
        folder: for what is written.
    """

    template: Template
    network: SegmentationNetwork
    data: Subset
    folder: Path

    @property
    def weights(self) -> Path:
        """Of a network that has made two supervised steps."""
        return self.folder / "weights.pth"

    def learn(self, changes: dict[str, Any], network: SegmentationNetwork | None = None) -> Any:
        """The algorithm after two steps.

        Args:
            changes: of hyper-parameters.
            network: what learns; None: `network`.
        """
        template = self.template.override(changes)
        network = copy.deepcopy(self.network) if network is None else network
        algorithm = algorithms.build(
            template, network, [1 / network.main_head.num_classes] * network.main_head.num_classes
        )
        return self.steps(algorithm, template)

    def steps(self, algorithm: Any, template: Template) -> Any:
        """The algorithm after two steps, all of whose numbers are finite."""
        view = self._view()
        algorithm.train()
        optimizer = build_optimizer(parameter_groups(algorithm, template), template)
        for step in range(2):
            optimizer.zero_grad()
            loss = algorithm.training_step(dict.fromkeys(algorithm.views, view), TrainProgress(5, step, 0.9))["loss"]
            loss.backward()
            optimizer.step()
            algorithm.after_step()
        if not all(parameter.isfinite().all() for parameter in algorithm.parameters()):
            raise ArithmeticError("its parameters are not finite any more")
        return algorithm

    def _view(self) -> dict[str, Any]:
        samples = self.data.samples[:2]
        images = torch.stack([torch.from_numpy(self.data.read_image(one).copy()).permute(2, 0, 1) for one in samples])
        masks = torch.stack([torch.from_numpy(self.data.read_mask(one).copy()) for one in samples])
        return {"image": images, "strong": images.flip(3), "mask": masks, "files": ["a", "b"]}


def _semi_supervised(trial: Trial, prototypes: bool = False) -> None:
    chosen = {"algo_backend.train_type": "Semisupervised", "semi_supervised.start_share": 0.0}
    trial.learn({**chosen, "semi_supervised.use_prototypes": prototypes})


def _prototypes(trial: Trial) -> None:
    _semi_supervised(trial, prototypes=True)


def _self_supervised(trial: Trial) -> None:
    trial.learn({"algo_backend.train_type": "Selfsupervised"})


def _contrastive(trial: Trial) -> None:
    trial.learn({"learning_parameters.enable_supcon": True})


def _more_labels(trial: Trial) -> None:
    labels = Labels((*NAMES, "nut"), default_colors(len(NAMES) + 1), background=0)
    network = build_model(trial.template, len(labels))
    load_starting_weights(network, trial.weights, labels, trial.template)
    trial.learn({}, SegmentationNetwork(network))


def _quantization_aware(trial: Trial) -> None:
    how, template = recipe(trial.template), fine_tuning_template(trial.template)
    predictor = open_checkpoint(trial.weights, device="cpu")
    graph = read_ir(export(trial.weights, trial.folder / "fp32").model)
    layers = worthwhile_layers(predictor, graph, how, trial.weights)
    images = Calibration(trial.data, predictor.input_size, 2, 0, None)
    quantize_network(predictor.network, layers, images, how, pruning_ratio=0.0)
    algorithm = algorithms.build_quantization_aware(template, predictor.network, [1 / len(LABELS)] * len(LABELS))
    learned = trial.steps(algorithm, template).deployable().eval()
    path = trial.folder / "quantised.pth"
    write_weights(path, learned.network.state_dict(), LABELS, trial.template, "two steps")
    export(path, trial.folder / "int8")


def _explain(trial: Trial) -> None:
    image = trial.data.samples[0].image
    otx_seg.explain(image, load_weights=trial.weights, output=trial.folder / "maps", explain_all_classes=True)


def _dynamic(trial: Trial) -> None:
    export(trial.weights, trial.folder / "dynamic", dynamic="both")


MODES: dict[str, Callable[[Trial], object]] = {  # beside supervised training
    "semi-supervised": _semi_supervised,
    "prototypes": _prototypes,
    "self-supervised": _self_supervised,
    "SupCon": _contrastive,
    "more labels": _more_labels,
    "QAT": _quantization_aware,
    "explain": _explain,
    "dynamic export": _dynamic,
}
COLUMNS = (SUPERVISED, *MODES)


@dataclass(frozen=True)
class Row:
    """What was found for a template.

    Attributes:
        side: of the images, in pixels: the smallest that the network takes.
        reasons: why it does not work, by the names of those of `COLUMNS` that do not.
    """

    side: int
    reasons: dict[str, str] = field(default_factory=dict)

    def cells(self) -> list[str]:
        return [str(self.side), *(NO if column in self.reasons else YES for column in COLUMNS)]


def try_template(name: str, modes: Iterable[str] = MODES) -> Row:
    """
    Args:
        modes: of `MODES`.
    """
    template = load(name)
    side = template.input_sizes.nearest(0)
    torch.manual_seed(0)
    network = SegmentationNetwork(build_model(template, len(LABELS)))
    with tempfile.TemporaryDirectory() as folder:
        draw_dataset(Path(folder, "data"), images=5, size=side, seed=1)
        sized = template.override({"learning_parameters.input_size": f"{side}x{side}"})
        trial = Trial(sized, network, open_folder(Path(folder, "data", "train"))["default"], Path(folder))
        reason = _tried(_supervised, trial)
        if reason:
            return Row(side, dict.fromkeys(COLUMNS, reason))
        found = {mode: _tried(MODES[mode], trial) for mode in modes}
    return Row(side, {mode: why for mode, why in found.items() if why})


def _supervised(trial: Trial) -> None:
    learned = trial.learn({}).deployable()
    write_weights(trial.weights, learned.network.state_dict(), LABELS, trial.template, "two steps")


def _tried(mode: Callable[[Trial], object], trial: Trial) -> str:
    """The beginning of the error, without places on this machine; empty if it works."""
    try:
        mode(trial)
    except Exception as error:  # whatever it is, the table says it
        text = str(error).replace(str(trial.folder), "").partition("\n")[0]
        kind = "" if isinstance(error, OtxError) else f"{type(error).__name__}: "
        return (kind + text.split("; ")[0]).replace("|", "/")[:200]
    return ""


def rows_of(page: str) -> dict[str, Row]:
    """The rows that stand in a page, by the names of the templates."""
    table = _split(page)[1]
    rows: dict[str, Row] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        reason = re.match(r"- ([^,]+), ([^:]+): (.*)", line)
        if reason:
            for mode in reason[2].split(" and "):
                rows[reason[1]].reasons[mode] = reason[3]
        elif len(cells) == len(COLUMNS) + 2 and cells[1].isdecimal():
            rows[cells[0]] = Row(int(cells[1]))
    return rows


def with_table(page: str, rows: dict[str, Row]) -> str:
    """A page with the table of these rows between its two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    before, _, after = _split(page)
    header = ["template", "side", *COLUMNS]
    lines = [header, ["---"] * len(header), *([name, *row.cells()] for name, row in rows.items())]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    reasons = [line for name, row in rows.items() for line in _reasons(name, row)]
    notes = "\n".join(reasons)
    return f"{before}{BEGIN}\n\n{table}\n\n{notes}{notes and chr(10) * 2}{END}{after}"


def _reasons(name: str, row: Row) -> list[str]:
    modes: dict[str, list[str]] = {}
    for mode, reason in row.reasons.items():
        modes.setdefault(reason, []).append(mode)
    return [f"- {name}, {' and '.join(which)}: {reason}" for reason, which in modes.items()]


def _split(page: str) -> tuple[str, str, str]:
    before, mark, rest = page.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError("the marks of the table of ways of learning are missing")
    return before, table, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("templates", nargs="*", metavar="TEMPLATE")
    wanted = parser.parse_args().templates
    names = [summary.name for summary in find_templates()]
    known = rows_of(PAGE.read_text(encoding="utf-8"))
    for name in names if wanted == ["all"] else wanted or [name for name in names if name not in known]:
        row = try_template(name)
        page = PAGE.read_text(encoding="utf-8")  # another such program may have written in the meantime
        rows = {**rows_of(page), name: row}
        PAGE.write_text(with_table(page, {name: rows[name] for name in names if name in rows}), encoding="utf-8")


if __name__ == "__main__":
    main()
