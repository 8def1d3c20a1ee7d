"""Reading the state a training left behind, and refusing to continue with another template."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from otx_seg.errors import UsageError
from otx_seg.processes import processes_here, world_size
from otx_seg.runtime.plain_files import shown
from otx_seg.template import Template, from_dict
from otx_seg.template.plain_names import plainly
from otx_seg.training.checked_state import check_state, unusable
from otx_seg.workspace.run_folder import RunFolder
from otx_seg.workspace.tensor_file import read_tensors

TRAIN, OPTIMIZE = "train", "optimize"
"""The verbs whose runs leave checkpoints."""

_STATE = RunFolder(Path()).checkpoint

_FREE = {"num_workers", "auto_num_workers", "inference_batch_size", "mem_cache_size"}
"""Parameters a resumed run may change, since the result does not depend on them."""


def nothing_trained(run: RunFolder) -> bool:
    """Whether a command was at work in a folder, and ended before it had made anything that a training could lose."""
    return run.log.is_file() and not last_saved(run)


def last_saved(run: RunFolder) -> int:
    """When a training, or a trial of its search, saved last in a folder: nanoseconds since 1970, 0 for never."""
    kept = (run.weights, run.checkpoint, run.trials, *run.search.glob(f"trials/*/{_STATE}"))
    return max((file.stat().st_mtime_ns for file in kept if file.exists()), default=0)


def find_checkpoint(path: Path) -> Path:
    """The checkpoint at `path`, a file or the folder of a run.

    Raises:
        UsageError: there is none.
    """
    checkpoint = RunFolder(path).checkpoint if path.is_dir() else path
    if not checkpoint.is_file():
        several = world_size() > processes_here()
        advice = "; each machine needs it: copy the run folder here" if several else ""
        if path.is_dir() and nothing_trained(RunFolder(path)):
            advice = "; it ended before its first step: run its original command again"
        raise UsageError(f"{path}: has no checkpoint to resume from ({checkpoint} is missing){advice}")
    return checkpoint


def is_written_down(run: RunFolder) -> bool:
    """Whether a training that has not begun can begin with what is in its folder."""
    return nothing_trained(run) and all(file.is_file() for file in (run.template, run.data, run.decisions))


def read_checkpoint(path: Path, command: str = TRAIN) -> dict[str, Any]:
    """The state in a checkpoint file.

    Args:
        command: the verb that is to continue with it.

    Raises:
        UsageError: it is no checkpoint of a training, or of another verb's.
    """
    state = read_tensors(path)
    if not isinstance(state, dict) or not {"position", "algorithm"} & state.keys():
        hint = " (to start from weights, use --load-weights)" if isinstance(state, dict) and "model" in state else ""
        raise UsageError(f"{path}: is not the checkpoint of a training{hint}")
    made_by = state.get("command", TRAIN)
    if made_by != command:
        if made_by not in (TRAIN, OPTIMIZE):
            raise unusable(path, f"command is {shown(made_by)}")
        raise UsageError(f"{path}: is the checkpoint of a run of otx {made_by}; use otx {made_by} --resume-from")
    try:
        check_state(state, path)
    except ValueError as error:
        raise unusable(path, str(error)) from error
    return state


_LATER = {"semi_supervised": {"contrast_weight": 0.0}}
"""Parameters of `hyper_parameters` that earlier versions did not have, with the values that change nothing."""


def template_of(state: dict[str, Any], path: Path) -> Template:
    """The resolved template a checkpoint was made with; what an earlier version did not know of is left out of it."""
    content = copy.deepcopy(state["template"])
    groups: Any = content.get("hyper_parameters") if isinstance(content, dict) else None
    for name, later in _LATER.items():
        if isinstance(groups, dict) and isinstance(groups.get(name), dict):
            groups[name] = {**later, **groups[name]}
    return from_dict(content, str(path))


def refuse_other_template(of_run: Template, asked: Template) -> None:
    """
    Raises:
        UsageError: the templates differ in something that changes the result; the message says in what.
    """
    found = differences(of_run.as_dict(), asked.as_dict())
    if found:
        key, before, now = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise UsageError(
            f"the run to resume has {key} = {before!r}, not {now!r}{more}; leave it unchanged, or "
            "start a new run with --load-weights"
        )


def is_free(parameter: str) -> bool:
    """Whether a resumed run may change a parameter, named with or without its group."""
    return parameter.rpartition(".")[2] in _FREE


def differences(before: Any, now: Any, key: str = "") -> list[tuple[str, Any, Any]]:
    """Where two nested mappings differ in values that change the result.

    Returns:
        The dotted key of each, a hyper-parameter by its plain name, and both values.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        names = [name for name in {**before, **now} if not is_free(name)]
        return [
            found
            for name in names
            for found in differences(before.get(name), now.get(name), f"{key}.{name}".lstrip("."))
        ]
    return [] if before == now else [(plainly(key.rpartition("hyper_parameters.")[2]), before, now)]
