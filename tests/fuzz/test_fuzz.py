"""Whatever stands in a file, reading it ends with its content or with an error for people.

``OTX_SEG_FUZZ_SEED`` chooses other damages, ``OTX_SEG_FUZZ_MUTATIONS`` how many of each kind.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from fuzz.harness import MUTATIONS, SEED
from fuzz.kinds import KINDS, fuzz_kind

PATIENCE_S = 60 + 3 * MUTATIONS


class Reader:
    """One process that reads, and another once it has crashed."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None

    def __call__(self, name: str, folder: Path) -> list[str]:
        if self.pool is None:
            self.pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        try:
            return self.pool.submit(fuzz_kind, name, folder).result(PATIENCE_S)
        except (BrokenProcessPool, NoAnswer) as error:
            what = "crashed" if isinstance(error, BrokenProcessPool) else "does not end"
            self.end()
            return [f"the process {what} [{name}, OTX_SEG_FUZZ_SEED={SEED}, {folder / 'data'}]"]

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if self.pool is not None:
            for process in list((self.pool._processes or {}).values()):
                process.kill()
            self.pool.shutdown()
            self.pool = None


@pytest.fixture(scope="module")
def reader() -> Iterator[Callable[[str, Path], list[str]]]:
    made = Reader()
    yield made
    made.end()


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files(reader: Callable[[str, Path], list[str]], name: str, tmp_path: Path) -> None:
    wrong = reader(name, tmp_path / "fuzz")
    assert not wrong, "\n".join([f"{len(wrong)} times:", *wrong[:10]])
