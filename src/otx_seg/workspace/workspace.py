"""A workspace: a folder with a template and the data folders, in which commands need no arguments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from otx_seg.errors import UsageError

WORKSPACE = Path("otx-workspace-SEGMENTATION")
"""The folder, below the current one, that is used where no other is named."""

OUTPUTS = "outputs"


@dataclass(frozen=True)
class Workspace:
    """The file names of a workspace; asking for a name creates nothing."""

    path: Path

    @property
    def template(self) -> Path:
        """The template its trainings use."""
        return self.path / "template.yaml"

    @property
    def data(self) -> Path:
        """Where its data is, see `DataFile`."""
        return self.path / "data.yaml"

    @property
    def outputs(self) -> Path:
        """The folder of its runs."""
        return self.path / OUTPUTS

    @property
    def missing(self) -> tuple[str, ...]:
        """What the folder lacks of a workspace."""
        return tuple(file.name for file in (self.template, self.data) if not file.is_file())


def find_workspace(asked: str | Path | None) -> Workspace | None:
    """The given workspace; None: the current folder, if it is one; empty: none.

    Raises:
        UsageError: the folder asked for is none.
    """
    if asked == "":
        return None
    asked_for = None if asked is None else Path(asked)
    found = Workspace(asked_for or Path())
    if not found.missing:
        return found
    if asked_for is None:
        return None
    lacking = " and ".join(found.missing) if asked_for.is_dir() else "there is no such folder"
    raise UsageError(
        f"{asked}: is not a workspace ({lacking}{' missing' if asked_for.is_dir() else ''}); make one with "
        f"`otx build --workspace {asked}`"
    )


def outputs_of(workspace: Workspace | None) -> Path:
    """The folder of new runs: that of a workspace, without one that below the current folder."""
    return WORKSPACE / OUTPUTS if workspace is None else workspace.outputs


def hint_to_workspace() -> str:
    """Where the current folder is none but nearly, or one lies below it, words on that for the end of a message."""
    here = Workspace(Path())
    if len(here.missing) == 1 and (here.path / OUTPUTS).is_dir():
        return f"; for a workspace this folder lacks {here.missing[0]}: `otx build --workspace .` writes it"
    if Workspace(WORKSPACE).missing:
        return ""
    return f"; {WORKSPACE} is a workspace: go there, or add --workspace {WORKSPACE}"


def nothing_trained(in_workspace: bool) -> str:
    """What to say where a command needs a trained model, was given none and finds none here.

    Args:
        in_workspace: whether it works in a workspace, so that none lies elsewhere.
    """
    elsewhere = "" if in_workspace else hint_to_workspace()
    what_to_do = elsewhere or ": run `otx train` first"
    return f"--load-weights is missing, and nothing was trained in this folder's workspace{what_to_do}"


def workspace_around(run: Path) -> Path | None:
    """The workspace, or the folder that serves as one, among whose outputs a run folder is."""
    outputs = run.parent
    folder = outputs.parent
    is_one = folder.name == WORKSPACE.name or not Workspace(folder).missing
    return folder if outputs.name == OUTPUTS and is_one else None
