"""What memory is left, on machines and in containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from otx_seg.datasets.loading.free_memory import allowed_memory, free_memory


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Files of a machine with 8 MiB available."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal:       16384 kB\nMemAvailable:    8192 kB\nHugePages_Total:  0\n")
    return tmp_path


def group(machine: Path, path: str, **content: object) -> None:
    folder = machine / "sys/fs/cgroup" / path
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in content.items():
        (folder / f"memory.{name}").write_text(f"{value}\n")


def test_a_machine_without_limits(machine: Path) -> None:
    assert free_memory(machine) == 8 << 20
    assert allowed_memory(machine) == 16 << 20


def test_the_tightest_group_around_counts_and_copies_of_files_do_not(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/a/b\n")
    group(machine, "a/b", max="max", current=5, stat="anon 1\ninactive_file 2")
    group(machine, "a", max=1000, current=700, stat="anon 1\ninactive_file 200")
    assert free_memory(machine) == 500
    assert allowed_memory(machine) == 1000


def test_a_container_that_sees_its_group_at_the_top(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/docker/0123\n")
    group(machine, "", max=1000, current=900, stat="inactive_file 0")
    assert free_memory(machine) == 100


def test_groups_of_the_first_version(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("3:cpu:/x\n2:memory:/x\n")
    group(machine, "memory/x", limit_in_bytes=4000, usage_in_bytes=5000, stat="total_inactive_file 100")
    group(machine, "memory", limit_in_bytes=9223372036854771712, usage_in_bytes=5000, stat="total_inactive_file 0")
    assert free_memory(machine) == 0  # over the limit already


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None
    assert allowed_memory(tmp_path) is None


def test_this_machine_has_some() -> None:
    free = free_memory()
    assert free is None or 0 < free < 1 << 50
