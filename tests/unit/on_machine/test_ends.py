"""However a server ends, one line says what is known of it."""

from pathlib import Path

import pytest

from components.on_machine.diagnose.ends import MemoryWatch
from components.on_machine.diagnose.explain import LONGEST, cause, found, reason
from tests.support.log_samples.ends import ENDS


@pytest.mark.parametrize("name", ENDS)
def test_each_end_is_told_in_one_line_with_its_cause(name: str) -> None:
    log, end, code, words = ENDS[name]
    told = cause(log, end=end)
    assert found(log, end=end).code == code
    assert [word for word in words if word not in told] == [], told
    assert len(told.splitlines()) == 1
    assert len(told) <= LONGEST


@pytest.mark.parametrize("name", ENDS)
def test_no_end_is_told_by_pointing_to_what_is_not_there(name: str) -> None:
    log, end, _, _ = ENDS[name]
    told = cause(log, end=end)
    assert "See stack trace" not in told
    assert "See root cause" not in told
    assert "left no message: run" not in told


def test_the_line_names_the_log(tmp_path: Path) -> None:
    log, end, _, _ = ENDS["server killed"]
    (tmp_path / "failed.log").write_text(log)
    told = reason("the model server", tmp_path / "failed.log", end)
    assert told.startswith("the model server failed: the API server's process was killed (SIGKILL)")
    assert told.endswith(f"(whole log on the machine: {tmp_path}/failed.log)")


def counters(root: Path, group: str, kills: int | None, machine: int) -> MemoryWatch:
    """A machine whose kernel has counted so many."""
    proc, groups = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True, exist_ok=True)
    (proc / "self/cgroup").write_text(f"0::{group}\n")
    (proc / "vmstat").write_text(f"nr_free_pages 1\noom_kill {machine}\n")
    if kills is not None:
        (groups / group.strip("/")).mkdir(parents=True, exist_ok=True)
        (groups / group.strip("/") / "memory.events").write_text(f"low 0\noom {kills}\noom_kill {kills}\n")
    return MemoryWatch(proc, groups)


def test_the_kernel_says_that_it_killed_a_process_of_the_service(tmp_path: Path) -> None:
    watch = counters(tmp_path, "/user.slice/a.service", 2, machine=5)
    assert watch.has_killed() is False
    counters(tmp_path, "/user.slice/a.service", 3, machine=5)
    assert watch.has_killed() is True


def test_what_it_killed_elsewhere_on_the_machine_is_not_counted(tmp_path: Path) -> None:
    watch = counters(tmp_path, "/user.slice/a.service", 0, machine=5)
    counters(tmp_path, "/user.slice/a.service", 0, machine=6)
    assert watch.has_killed() is False


def test_where_only_the_machine_counts_that_is_what_there_is(tmp_path: Path) -> None:
    watch = counters(tmp_path, "/", None, machine=5)
    counters(tmp_path, "/", None, machine=6)
    assert watch.has_killed() is True


def test_where_nobody_counts_it_is_not_known(tmp_path: Path) -> None:
    assert MemoryWatch(tmp_path / "proc", tmp_path / "cgroup").has_killed() is None


def test_this_kernel_counts() -> None:
    assert MemoryWatch().has_killed() is False
