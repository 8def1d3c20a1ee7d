"""From a folder of images and masks to a segmentation model that runs on an edge CPU.

The names below are what the verbs of the command line call. Each is imported when it is first used, so that
``import otx_seg`` is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otx_seg.telemetry import switch_off

if TYPE_CHECKING:
    from otx_seg.inference.model import Model
    from otx_seg.models import build_model
    from otx_seg.template import find_templates
    from otx_seg.verbs.add_data import add_data
    from otx_seg.verbs.benchmark import benchmark
    from otx_seg.verbs.build import build
    from otx_seg.verbs.check import check
    from otx_seg.verbs.convert import convert
    from otx_seg.verbs.cross_validate import cross_validate
    from otx_seg.verbs.demo import demo
    from otx_seg.verbs.deploy import deploy
    from otx_seg.verbs.draw_report import draw_report
    from otx_seg.verbs.evaluate import evaluate
    from otx_seg.verbs.explain import explain
    from otx_seg.verbs.export import export
    from otx_seg.verbs.find_learning_rate import find_learning_rate
    from otx_seg.verbs.optimize import optimize
    from otx_seg.verbs.predict import predict
    from otx_seg.verbs.suggest import suggest
    from otx_seg.verbs.train import train
    from otx_seg.workflow.run import run
    from otx_seg.workspace.published_weights import fetch_weights, list_weights

__all__ = [
    "Model",
    "add_data",
    "benchmark",
    "build",
    "build_model",
    "check",
    "convert",
    "cross_validate",
    "demo",
    "deploy",
    "draw_report",
    "evaluate",
    "explain",
    "export",
    "fetch_weights",
    "find_learning_rate",
    "find_templates",
    "list_weights",
    "optimize",
    "predict",
    "run",
    "suggest",
    "train",
]

# Here, since it has to happen before openvino or nncf is imported, whatever part of this package does that.
switch_off()

_OTHERS = {
    "Model": "otx_seg.inference.model",
    "build_model": "otx_seg.models",
    "fetch_weights": "otx_seg.workspace.published_weights",
    "find_templates": "otx_seg.template",
    "list_weights": "otx_seg.workspace.published_weights",
}
_VERBS = tuple(name for name in __all__ if name not in _OTHERS)
_HOMES = {name: f"otx_seg.verbs.{name}" for name in _VERBS} | {"run": "otx_seg.workflow.run"} | _OTHERS


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'otx_seg' has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_HOMES[name]), name)
    if name not in _VERBS:
        return found
    from otx_seg.runtime.urls import refusing_urls

    return refusing_urls(found, but_for="input" if name == "demo" else "")
