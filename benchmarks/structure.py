"""How far one has to walk in the source: what a training, a batch and a prediction enter, and what functions hand on.

    python benchmarks/structure.py

Counts, for a training on synthetic images, the files and functions of ``otx_seg`` that run from ``train`` to
the first step, those of one batch, and those of the mask of one image; then lines, packages, cycles of files, and
functions that hand six or more of their arguments on unchanged.
"""

from __future__ import annotations

import ast
import graphlib
import inspect
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1] / "src" / "otx_seg"
_MOST_HANDED_ON = 6


class Walk:
    """Notes which functions of the source run between `start` and `stop`."""

    def __init__(self) -> None:
        self.entered: set[tuple[str, str]] = set()

    def start(self) -> None:
        self.entered = set()
        sys.setprofile(self._note)

    def stop(self) -> dict[str, int]:
        sys.setprofile(None)
        return {"files": len({file for file, _ in self.entered}), "functions": len(self.entered)}

    def _note(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        is_function = code.co_flags & inspect.CO_OPTIMIZED  # bodies of modules and classes run when they are imported
        if event == "call" and is_function and code.co_filename.startswith(str(SOURCE)):
            self.entered.add((code.co_filename, f"{code.co_firstlineno} {code.co_name}"))


def walked() -> dict[str, dict[str, int]]:
    """What runs from `train` to the first step, in the second one, and for one image of `predict_mask`."""
    from otx_seg.datasets.synthetic.draw import draw_dataset
    from otx_seg.inference.predictor import load_predictor
    from otx_seg.runtime.images import read_image
    from otx_seg.runtime.predict_mask import predict_mask
    from otx_seg.training.loggers import Logger, StepReport
    from otx_seg.verbs.train import train

    walk, found = Walk(), {}

    class Steps(Logger):
        def on_step(self, report: StepReport) -> None:
            if report.step <= 2:
                found["from train() to the first step" if report.step == 1 else "a batch"] = walk.stop()
            if report.step == 1:
                walk.start()

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        draw_dataset(root, images=8, size=64, seed=1)
        parameters: dict[str, Any] = {"learning_parameters.input_size": "64x64", "learning_parameters.batch_size": 2}
        parameters |= {"learning_parameters.num_iters": 2, "learning_parameters.num_workers": 0}
        parameters["learning_parameters.pretrained"] = "none"
        walk.start()
        result = train(
            root / "train",
            output=Path(folder) / "run",
            template="Lite-HRNet-s-mod2",
            parameters=parameters,
            loggers=[Steps()],
        )
        predictor = load_predictor(result.weights, device="cpu")
        image = next(root.rglob("images/*"))
        walk.start()
        predict_mask(predictor, read_image(image))
        found["the mask of an image"] = walk.stop()
    return found


def handed_on(tree: ast.AST) -> list[tuple[str, int, int]]:
    """Functions that hand many of their arguments on unchanged in one call: name, how many, of how many."""
    found = []
    for function in ast.walk(tree):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
            own = {argument.arg for argument in arguments} - {"self", "cls"}
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            given = [[*call.args, *(keyword.value for keyword in call.keywords)] for call in calls]
            most = max((len({v.id for v in values if isinstance(v, ast.Name)} & own) for values in given), default=0)
            if most >= _MOST_HANDED_ON:
                found.append((function.name, most, len(own)))
    return found


def structure() -> dict[str, Any]:
    """Lines, packages, cycles, and what functions hand on."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}
    lines = {path: text.count("\n") for path, text in files.items()}
    packages: dict[str, int] = {}
    for path, number in lines.items():
        parts = path.relative_to(SOURCE).parts
        packages[parts[0]] = packages.get(parts[0], 0) + number
    total = sum(lines.values())
    largest = max(packages, key=lambda name: packages[name])
    on = [
        (f"{path.relative_to(SOURCE)}: {name}", n, of)
        for path, text in files.items()
        for name, n, of in handed_on(ast.parse(text))
    ]
    return {
        "files": len(files),
        "lines": total,
        "largest package": {largest: round(packages[largest] / total, 3)},
        "cycle of files": _cycle(files),
        "arguments handed on": {name: f"{n} of {of}" for name, n, of in sorted(on, key=lambda item: -item[1])},
    }


def _cycle(files: dict[Path, str]) -> list[str]:
    names = {".".join(("otx_seg", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in files}
    graph = {}
    for name, path in names.items():
        nodes = [node for node in ast.walk(ast.parse(files[path])) if isinstance(node, ast.ImportFrom) and node.module]
        of = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names} | {
            str(node.module) for node in nodes
        }
        graph[name] = of & names.keys() - {name}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def main(say: Callable[[str], None] = print) -> None:
    """Print what was counted, as JSON."""
    say(json.dumps({**structure(), "entered": walked()}, indent=2))


if __name__ == "__main__":
    main()
