"""What was decided for a training: said, written into its run, and read there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from otx_seg.configuration.facts import Decision
from otx_seg.errors import UsageError
from otx_seg.workspace.own_files import read_own
from otx_seg.workspace.run_folder import RunFolder

logger = logging.getLogger(__name__)

_SAID_ELSEWHERE = ("algo_backend.train_type", "validation")


def with_found(decisions: Sequence[Decision], values: dict[str, Any], first: dict[str, Any]) -> tuple[Decision, ...]:
    """The decisions after a search for hyper-parameters.

    Args:
        values: what the search found, ``{"group.name": value}``.
        first: what it began with.
    """

    def after(item: Decision) -> Decision:
        value = values.get(item.parameter, item.value)
        if value == item.value:
            return item
        if value == first[item.parameter]:
            return Decision(item.parameter, value, "what the search began with")
        return Decision(item.parameter, value, f"found by the search, which began with {first[item.parameter]}")

    return tuple(map(after, decisions))


def announce(decisions: Sequence[Decision]) -> None:
    """Say what was decided and why, a line each; what the user decided in one line."""
    for decision in decisions:
        if not decision.given and decision.parameter not in _SAID_ELSEWHERE:
            name = decision.parameter.rpartition(".")[2]
            logger.info("decided: %s %s (%s)", name, decision.value, decision.reason)
    given = ", ".join(
        f"{decision.parameter.rpartition('.')[2]} {decision.value}" for decision in decisions if decision.given
    )
    if given:
        logger.info("as given: %s", given)


def as_lines(decisions: Sequence[Decision]) -> str:
    """All decisions as text."""
    return "\n".join(f"{item.parameter} = {item.value}: {item.reason}" for item in decisions)


def plain(decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """What ``auto_configuration.json`` holds."""
    return [decision.as_json() for decision in decisions]


def decisions_of(run: RunFolder) -> tuple[Decision, ...]:
    """The decisions a run began with, for its report; none where its folder no longer tells."""
    if not run.decisions.is_file():
        return ()
    try:
        return tuple(read_own(run.decisions, list[Decision], "the report will lack what was decided"))
    except UsageError as error:
        logger.warning("%s", error)
        return ()
