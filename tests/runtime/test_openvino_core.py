"""Signals that arrive after OpenVINO was used; each case in a process of its own, since failing would end it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import gc, os, signal, sys
import openvino
from pathlib import Path
from otx_seg.runtime.openvino_core import openvino_core, signal_stack_kept
from otx_seg.inference.predictor import load_predictor
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
path = Path(sys.argv[1])
def other():
    return openvino.Core().compile_model(path, "CPU")
"""
END = """
gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
print(len(seen))
"""


def survives(path: Path, code: str) -> bool:
    """Whether a process that runs `code` handles a signal afterwards."""
    script = f"{START}\n{code}\n{END}"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    return (done.returncode, done.stdout) == (0, "1\n")


@pytest.mark.skipif(sys.platform != "linux", reason="stacks for signals are looked after on Linux alone")
@pytest.mark.parametrize(
    "code",
    [
        "a = load_predictor(path)\nb = load_predictor(path)\ndel a\ndel b",
        "a = other()\nb = load_predictor(path)\ndel a\ndel b",
        "with signal_stack_kept():\n    a = other()\n    b = other()\n    del a\n    del b",
        "with signal_stack_kept():\n    a = other()\n    b = other()\ndel a\ndel b",
    ],
)
def test_signals_are_handled_after_models_have_come_and_gone(code: str, tiny_ir: Path) -> None:
    assert survives(tiny_ir, code)


def test_there_is_one_core(tiny_ir: Path) -> None:
    assert survives(tiny_ir, "assert openvino_core() is openvino_core()")
