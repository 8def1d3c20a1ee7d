"""Switches off what OpenVINO, NNCF and the programs behind `--tracker` send home.

OpenVINO and NNCF report usage through the package ``openvino_telemetry``, which is on until a file in the user's home
says otherwise, and writes an identifier and counters there. They work without it, so in this process it is made to look
as if it were not installed: nothing is sent, nothing is written, and the user's own setting stays as it is.
"""

from __future__ import annotations

import os
import sys

_PACKAGE = "openvino_telemetry"

_OF_TRACKERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "COMET_ERROR_TRACKING_ENABLE": "false",
    "COMET_DISABLE_AUTO_LOGGING": "1",
    "COMET_DISABLE_ANNOUNCEMENT": "1",
}
"""Environment variables by which reports on their use and errors are switched off."""


def switch_off_in_trackers() -> None:
    """Make sure that trackers send nothing but the training, unless the user has said otherwise; to be called before
    they are imported."""
    for name, value in _OF_TRACKERS.items():
        os.environ.setdefault(name, value)


def switch_off() -> None:
    """Make sure that this process sends no usage data; to be called before openvino or nncf is imported.

    If another part of the program has imported the telemetry already, its sender and its look at the consent file
    are replaced instead, so that the order of imports does not matter.
    """
    loaded = sys.modules.get(_PACKAGE)
    if loaded is None:
        # None in sys.modules makes every later import of the package raise ModuleNotFoundError.
        sys.modules[_PACKAGE] = None  # type: ignore[assignment]
        return
    from openvino_telemetry.main import OptInChecker, TelemetrySender  # type: ignore[import-untyped]
    from openvino_telemetry.utils.opt_in_checker import ConsentCheckResult  # type: ignore[import-untyped]

    TelemetrySender.send = lambda *_args, **_named: None
    OptInChecker.check = lambda *_args, **_named: ConsentCheckResult.DECLINED
