"""The last training of a workspace: what the next one is compared with, and begins with once data was added."""

from __future__ import annotations

import logging
from dataclasses import replace

from otx_seg import template as templates
from otx_seg.datasets import DataSpec
from otx_seg.errors import UsageError
from otx_seg.inputs.resolver import Resolver
from otx_seg.training.recorded_data import RecordedData, read_recorded
from otx_seg.training.setup.plan import Request
from otx_seg.workspace.run_folder import RunFolder, latest_weights

logger = logging.getLogger(__name__)

ANEW = "--from-pretrained"
_PRETRAINED = "learning_parameters.pretrained"


def with_last_round(resolver: Resolver, request: Request, anew: bool = False) -> Request:
    """The arguments of a training, with the last one of the workspace to compare with, if both validate alike; and with
    its weights to start from, if data was added to the workspace and nothing else is named.

    Args:
        request: completed from the workspace, see `complete_request`.
        anew: do not start from these weights.

    Raises:
        UsageError: it begins with something else, so that `anew` says nothing.
    """
    if anew and (request.load_weights is not None or request.resume_from is not None):
        named = "--load-weights" if request.load_weights is not None else "--resume-from"
        raise UsageError(f"{ANEW} and {named} cannot be combined: leave out one of them")
    weights = latest_weights(resolver.outputs)
    if resolver.workspace is None or request.resume_from is not None or request.data.train_root is None:
        return request
    if weights is None or request.train_type == "Selfsupervised":
        return request
    weights = weights.resolve()  # the pointer to the last training will soon point to this one
    last = RunFolder(weights.parent.parent)
    if not last.data.is_file():
        return request
    unlike = _difference(last, request)
    if not unlike:
        request = replace(request, last_round=last.path)
    if anew or not request.data.added or request.load_weights is not None or _PRETRAINED in request.parameters:
        return request
    unlike = unlike or _other_network(last, request)
    if unlike:
        logger.info("begins anew, not from the weights of the last training, %s: %s", last.path, unlike)
        return request
    logger.info("starts from the weights of the last training: %s; %s begins anew", weights, ANEW)
    return replace(request, load_weights=weights)


def _difference(last: RunFolder, request: Request) -> str:
    """Why the two cannot be compared; empty: they can."""
    try:
        recorded = read_recorded(last)
    except UsageError as error:
        return str(error)
    return "" if _validates_alike(recorded, request.data.resolved()) else "it validated on other images"


def _validates_alike(last: RecordedData, now: DataSpec) -> bool:
    then = last.data
    if last.fold is not None or then.validation_named != now.validation_named:
        return False
    if now.val_root is not None:
        return (then.val_root, then.val_annotations) == (now.val_root, now.val_annotations)
    where = ("train_root", "train_annotations", "val_annotations")
    if any(getattr(then, name) != getattr(now, name) for name in where):
        return False
    return not now.val_names or set(last.val) == set(now.val_names)


def _other_network(last: RunFolder, request: Request) -> str:
    """Why the weights do not fit; empty: they do."""
    try:
        made_from = templates.load(last.template)
        now = templates.load(request.template or templates.default_template())
    except UsageError as error:
        return str(error)
    return "" if made_from.model == now.model else f"it trained another network, {made_from.name}"
