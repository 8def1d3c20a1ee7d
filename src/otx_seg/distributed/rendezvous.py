"""How the machines (nodes) of one training find each other before any process starts."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable
from datetime import timedelta

from torch.distributed import DistError, DistNetworkError, TCPStore

from otx_seg.errors import OtxError, UsageError
from otx_seg.runtime.graph_shape import first_line

logger = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 300.0
"""Time for which the nodes wait for each other."""

_POLL_S = 0.2
_TRY_S = 2  # of one attempt to reach the first node
_ANSWER_S = 20  # until what answers has shown that it is a training


def meet(
    host: str, port: int, nodes: int, node: int, plan: dict[str, int], timeout_s: float = JOIN_TIMEOUT_S
) -> TCPStore:
    """Open the place where nodes meet, or go there, and wait until all are there.

    Args:
        host: the name of the first node that the others know.
        port: 0: any that is free.
        nodes: how many.
        node: which one this is, 0..nodes-1; the first one opens the place.
        plan: what all nodes must have been told alike.

    Returns:
        the store; the place closes with the first node's.

    Raises:
        UsageError: the port is in use, the first node was told otherwise, or this one's place is taken.
        OtxError: the first node cannot be reached in time, or another one did not come.
    """
    end = time.monotonic() + timeout_s
    store = _host(host, port, nodes, plan, timeout_s) if node == 0 else _join(host, port, end, timeout_s)
    missing = "only {} of {} nodes joined within {:g} s; start the same command on the others too"
    try:
        _wait(lambda: store.check(["plan"]), end, lambda: missing.format(1, nodes, timeout_s))
        told = json.loads(store.get("plan"))
        if told != plan:
            raise UsageError(f"this node trains with {_plan_text(plan)}, the first one with {_plan_text(told)}")
        if store.add(f"node {node}", 1) > 1:
            raise UsageError(f"--base-rank: node {node + 1} of {nodes} has already joined; give each node its own")
        store.add("nodes", 1)
        _wait(
            lambda: store.add("nodes", 0) >= nodes, end, lambda: missing.format(store.add("nodes", 0), nodes, timeout_s)
        )
    except DistNetworkError as error:
        raise OtxError(f"--rdzv-endpoint {host}:{port}: the first node has ended; start all nodes again") from error
    return store


def _host(host: str, port: int, nodes: int, plan: dict[str, int], timeout_s: float) -> TCPStore:
    try:
        store = TCPStore(host, port, None, True, timedelta(seconds=60), wait_for_workers=False, multi_tenant=True)
    except DistError as error:
        if "EADDRINUSE" in str(error) or "already in use" in str(error):
            raise UsageError(
                f"--rdzv-endpoint {host}:{port}: port {port} is in use on this machine, by another training perhaps; "
                "choose another one"
            ) from error
        raise UsageError(f"--rdzv-endpoint {host}:{port}: cannot be opened ({first_line(error)})") from error
    if nodes > 1:
        logger.info("waiting for %d other machine(s) at %s:%d, at most %g s", nodes - 1, host, port, timeout_s)
    store.set("plan", json.dumps(plan, sort_keys=True))
    return store


def _join(host: str, port: int, end: float, timeout_s: float) -> TCPStore:
    logger.info("joining the training at %s:%d, at most %g s", host, port, timeout_s)
    unreachable = (
        f"--rdzv-endpoint {host}:{port}: the first node was not there within {timeout_s:g} s; start the same command "
        "on it with --base-rank 0, and see that this machine can reach the port"
    )
    _wait(lambda: _answers(host, port), end, lambda: unreachable)
    try:
        limit = timedelta(seconds=_ANSWER_S)
        return TCPStore(host, port, None, False, limit, wait_for_workers=False, multi_tenant=True)
    except DistError as error:
        raise UsageError(
            f"--rdzv-endpoint {host}:{port}: the service there is not a training ({first_line(error)}); name the port "
            "that the first node was given"
        ) from error


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_TRY_S).close()
    except OSError:
        return False
    return True


def _wait(is_done: Callable[[], bool], end: float, complaint: Callable[[], str]) -> None:
    """Poll, so that Ctrl-C works; the store's own waiting ignores it."""
    while not is_done():
        if time.monotonic() > end:
            raise OtxError(complaint())
        time.sleep(_POLL_S)


def _plan_text(plan: dict[str, int]) -> str:
    return f"{plan['processes']} of {plan['world_size']} processes per node"
