"""What holds for the code as a whole: layers, light imports, names, reachability."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from torch import nn

import otx_seg
from otx_seg import catalogue
from otx_seg.template import find_template_file, find_templates

SOURCE = Path(otx_seg.__file__).parent
LAYERS = [
    "label_maps",
    "runtime",
    "metrics",
    "optimizers",
    "targets",
    "loss_parts",
    "losses",
    "distillation_losses",
    "transforms",
    "template",
    "workspace",
    "annotations",
    "formats",
    "datasets",
    "configuration",
    "models",
    "inference",
    "algorithms",
    "training",
    "distributed",
    "inputs",
    "labelling",
    "deployment",
    "report",
    "hpo",
    "verbs",
    "workflow",
    "cli",
]
LEAVES = (
    "child_process",
    "class_weights",
    "errors",
    "interrupts",
    "labels",
    "palette",
    "catalogue",
    "telemetry",
    "words",
    "processes",
)


def imported_parts(path: Path) -> set[str]:
    """The packages and modules directly below otx_seg that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name.split(".")[1] for name in names if name.startswith("otx_seg.")}
    return found


def test_every_package_is_a_layer() -> None:
    packages = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert packages == set(LAYERS)


def imported_files(path: Path) -> set[Path]:
    """The files of the package that a file imports names from, anywhere in it, for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "otx_seg":
            for name in (*(f"{node.module}.{alias.name}" for alias in node.names), node.module):
                place = SOURCE.parent / name.replace(".", "/")
                files = [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.exists()]
                found.update(files)
                if files and name != node.module and len(node.names) == 1:
                    break  # a module, not a name in the package that holds it
    return found - {path}


def test_no_files_import_each_other() -> None:
    graphlib.TopologicalSorter({path: imported_files(path) for path in SOURCE.rglob("*.py")}).prepare()


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_from_its_left(layer: str) -> None:
    allowed = {*LAYERS[: LAYERS.index(layer) + 1], *LEAVES}
    for path in (SOURCE / layer).rglob("*.py"):
        above = (imported_parts(path) & set(LAYERS)) - allowed
        assert not above, f"{path.relative_to(SOURCE)} imports {above}"


def test_the_runtime_needs_nothing_a_receiver_of_a_model_lacks() -> None:
    allowed = {"otx_seg", "numpy", "cv2", "PIL", "openvino", "tifffile"}
    for path in [*(SOURCE / "runtime").glob("*.py"), SOURCE / "errors.py", SOURCE / "labels.py", SOURCE / "palette.py"]:
        assert imported_parts(path) <= {"runtime", "errors", "labels", "palette"}, path.name
        for_types, roots = type_checking_lines(path), set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if getattr(node, "lineno", None) in for_types:
                continue
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                roots.add((node.module or "").split(".")[0])
        assert roots - sys.stdlib_module_names <= allowed, path.name


def type_checking_lines(path: Path) -> set[int]:
    """The lines of a file that only type checkers read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guards = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    return {line for node in guards for line in range(node.lineno, (node.end_lineno or 0) + 1)}


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_import_no_layer(leaf: str) -> None:
    assert not imported_parts(SOURCE / f"{leaf}.py") & set(LAYERS)


def seconds(*command: str) -> float:
    """The shortest of several runs of Python with these arguments."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return min(times)


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    code = (
        "import sys\nfrom otx_seg.cli.main import main\n"
        f"try: main({[*arguments]})\nexcept SystemExit as end: assert not end.code\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(result.stderr.strip().splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["find"], ["train", "--help"], ["check", "--help"]])
def test_the_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"torch", "numpy", "cv2", "mmseg", "datumaro", "openvino", "nncf", "pydantic", "rich"}
    assert not loaded_by(*arguments) & heavy


def test_an_exported_model_predicts_without_what_trains_it(tiny_ir: Path, save: Any, tmp_path: Path) -> None:
    save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    image, output = str(tmp_path / "a.png"), str(tmp_path / "masks")
    loaded = loaded_by("predict", "--input", image, "--load-weights", str(tiny_ir), "-o", output)
    assert Path(output, "a.png").is_file()
    assert "openvino" in loaded
    assert not loaded & {
        "torch",
        "mmseg",
        "datumaro",
        "nncf",
        "pydantic",
        "otx_seg.annotations.samples",
        "otx_seg.datasets",
        "otx_seg.formats",
        "rich.progress",
    }


def test_help_is_quick() -> None:
    assert seconds("-m", "otx_seg", "--help") <= 3 * seconds("-c", "import click")


def types_in(value: object) -> set[str]:
    """Every ``type`` named anywhere in a template."""
    if isinstance(value, dict):
        named = {value["type"]} if isinstance(value.get("type"), str) else set()
        return named.union(*(types_in(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*(types_in(item) for item in value))
    return set()


def test_every_building_block_is_reachable_from_a_template() -> None:
    from otx_seg.template import load
    from otx_seg.template.losses import class_of, distillation_loss_names, loss_names, losses_named

    named = types_in([losses_named(name) for name in loss_names()])
    for summary in find_templates():
        named |= types_in(load(summary.name).as_dict())
    assert named
    named |= {class_of(name) for name in distillation_loss_names()}
    for package in ("losses", "distillation_losses", "transforms"):
        blocks = {
            name
            for name, cls in catalogue.classes(f"otx_seg.{package}").items()
            if issubclass(cls, nn.Module) or package == "transforms"
        }
        assert blocks, package
        assert blocks <= named, f"{blocks - named} of {package} can be reached from no template"


def test_every_registered_network_part_is_reachable_from_a_template() -> None:
    otx_seg.build_model("Lite-HRNet-s-mod2", 2)  # fills the registry
    from mmseg.registry import MODELS

    named = set().union(*(types_in(yaml.safe_load(summary.path.read_text())) for summary in find_templates()))
    ours = {name for name, cls in MODELS.module_dict.items() if cls.__module__.startswith("otx_seg.")}
    assert ours
    assert ours <= named


def test_public_names() -> None:
    from otx_seg.cli.main import VERBS

    called = {"eval": "evaluate", "report": "draw_report", "find": "find_templates", "weights": "list_weights"}
    verbs = [called.get(verb, verb) for verb in VERBS if verb != "quickstart"]
    others = ["Model", "add_data", "build_model", "cross_validate", "fetch_weights", "find_learning_rate"]
    assert otx_seg.__all__ == sorted([*verbs, *others])
    # Type checkers see the names that are imported, others see `__all__`.
    nodes = ast.walk(ast.parse(Path(otx_seg.__file__).read_text(encoding="utf-8")))
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(otx_seg.__all__) <= imported
    for name in otx_seg.__all__:
        assert getattr(otx_seg, name).__doc__
    with pytest.raises(AttributeError, match=r"no attribute 'learn'"):
        _ = otx_seg.learn


def test_every_module_says_what_it_is() -> None:
    modules = [path for path in SOURCE.rglob("*.py") if path.stat().st_size and path.stem != "__main__"]
    assert len(modules) > 50
    for path in modules:  # not imported: some need packages that are extras
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


def calls(path: Path) -> set[str]:
    """Whatever is called in a file, as it stands there, such as ``json.loads``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_what_is_printed_goes_one_way() -> None:
    own = {
        "runtime/terminal.py": "print",  # which escapes what a terminal would obey
        "report/console.py": "Console",
    }
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        printing = calls(path) & {
            "print",
            "click.echo",
            "click.secho",
            "Console",
            "sys.stdout.write",
            "sys.stderr.write",
        }
        assert printing <= {own.get(name)}, name


READING = ("json.load", "json.loads", "yaml.load", "yaml.safe_load")
OTHER_READERS = {
    "runtime/plain_files.py": "text and JSON of users are read here",
    "template/yaml_files.py": "and YAML here",
    "template/listing.py": "shipped templates, quickly",
    "models/known_backbones.py": "a shipped list",
    "models/key_mappings.py": "a shipped list",
    "deployment/deploy.py": "shipped texts",
    "runtime/processors.py": "the system's",
    "datasets/loading/free_memory.py": "the system's",
    "deployment/benchmark/worker.py": "the system's",
    "distributed/worker.py": "notes between processes",
    "distributed/rendezvous.py": "messages between processes",
    "distributed/launcher.py": "the output of processes",
    "deployment/compact.py": "models that were just written",
    "formats/layouts/ade20k.py": "texts out of a file that has been read",
}
"""Modules that read text in other ways than through `plain_files` and `yaml_files`, and why."""


def test_text_is_read_in_one_place() -> None:
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        used = {call for call in calls(path) if call in READING or call.endswith(".read_text")}
        assert not used or name in OTHER_READERS, f"{name} uses {used}: see runtime/plain_files.py"


def test_the_template_files_are_those_listed() -> None:
    for summary in find_templates():
        assert find_template_file(summary.name) == summary.path
