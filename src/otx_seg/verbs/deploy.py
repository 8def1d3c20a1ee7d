"""`otx deploy`: one file that runs without this toolkit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otx_seg.deployment.deploy import PACKAGE, Deployed
from otx_seg.deployment.deploy import deploy as deploy_model
from otx_seg.inputs.resolver import open_resolver
from otx_seg.labels import given_labels
from otx_seg.workspace.logs import log_to
from otx_seg.workspace.run_folder import open_run


def deploy(
    load_weights: str | Path | None = None,
    *,
    labels: str | Sequence[str] | None = None,
    workspace: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> Deployed:
    """Write ``<run>/openvino.zip``: an OpenVINO model, a demo, and a README for the receiver.

    Args:
        load_weights: the ``.xml`` that `export` or `optimize` wrote, or one like those; None: the last of them in the
            workspace.
        labels: see `predict`.
        workspace, output, overwrite: see `train`.

    Raises:
        UsageError: no OpenVINO model, or one that does something else.
        OtxError: the zip cannot be written.
    """
    resolver = open_resolver(workspace)
    model = resolver.exported(load_weights, quantized_too=True)
    run = open_run(resolver.destination(output, overwrite), "deploy", (PACKAGE,))
    with log_to(run) as note:
        result = deploy_model(model, run.path, given_labels(labels))
        note(f"{model} packed into {result.package}, {result.size} bytes")
    return result
