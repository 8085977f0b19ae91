"""`make local` and `make local-down`: what they ask for, what they write, what they find."""

import json
import os
import shlex
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.local import environment, leftovers, stack
from scripts.local.errors import LocalError
from scripts.local.orphans import is_orphan
from scripts.local.place import BACKEND_URL, ROOT, VENV_BIN
from scripts.local.room import DISK_NEEDED_FIRST, GIB, MEMORY_NEEDED, Room, shortage
from tests.unit.scripts.conftest import CLOUD

# --- room


def test_enough_room_is_no_shortage() -> None:
    assert shortage(Room(memory=MEMORY_NEEDED, disk=DISK_NEEDED_FIRST), first=True) is None


def test_shortage_says_all_that_is_short_in_one_line() -> None:
    said = shortage(Room(memory=2 * GIB, disk=3 * 10**9), first=True)
    assert said is not None
    assert "2.0 GiB of memory free, 6 GiB needed" in said
    assert "3.0 GB of disk free, 20 GB needed" in said
    assert "\n" not in said


def test_less_disk_is_enough_when_the_packages_are_cached() -> None:
    room = Room(memory=MEMORY_NEEDED, disk=DISK_NEEDED_FIRST // 2)
    assert shortage(room, first=True) is not None
    assert shortage(room, first=False) is None


# --- environment


@pytest.mark.parametrize("file", ["Makefile", "scripts/live-check"])
def test_whoever_runs_pulumi_with_our_plugins_passes_over_those_on_path(file: str) -> None:
    text = (ROOT / file).read_text()
    assert text.count("PULUMI_HOME=") == text.count("PULUMI_IGNORE_AMBIENT_PLUGINS=true") == 1
    assert environment.variables(None)["PULUMI_IGNORE_AMBIENT_PLUGINS"] == "true"


def test_environment_file_is_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("an older one\n")
    file.chmod(0o644)
    environment.write_environment_file(file, CLOUD)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_environment_file_means_the_same_to_a_shell_as_to_this_process() -> None:
    words = [shlex.split(line)[1] for line in environment.shell_text(CLOUD).splitlines() if line.startswith("export ")]
    sourced = dict(word.split("=", 1) for word in words)
    assert sourced.pop("PATH").endswith(":$PATH")
    assert sourced == environment.variables(CLOUD)


def test_virtual_environment_is_first_on_path() -> None:
    path = environment.process_environment(CLOUD)["PATH"]
    assert path.split(os.pathsep)[0] == str(VENV_BIN)


def test_no_key_is_set_without_a_local_cloud() -> None:
    assert not {"LAMBDA_API_KEY", "HF_TOKEN"} & environment.variables(None).keys()


# --- the stack's lock


@pytest.fixture
def lock_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    monkeypatch.setattr(stack, "PULUMI_STATE", tmp_path)

    def lock(pid: int) -> None:
        folder = tmp_path / ".pulumi" / "locks" / "organization" / "project" / "local"
        folder.mkdir(parents=True)
        (folder / "some-id.json").write_text(json.dumps({"pid": pid, "username": "me", "hostname": "here"}))

    return lock


@pytest.fixture
def pulumi_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []

    def quietly(_: stack.Stack, *arguments: str) -> str:
        calls.append(arguments)
        return ""

    monkeypatch.setattr(stack.Stack, "_quietly", quietly)
    return calls


def test_lock_of_a_killed_pulumi_is_taken_away(
    lock_of: Callable[[int], None], pulumi_calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_of(4711)
    monkeypatch.setattr(stack, "is_pulumi", lambda _: False)
    assert stack.Stack({}).release_stale_lock()
    assert pulumi_calls == [("cancel", "--yes", "--stack", "local")]


def test_lock_of_a_working_pulumi_is_never_taken_away(
    lock_of: Callable[[int], None], pulumi_calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_of(4711)
    monkeypatch.setattr(stack, "is_pulumi", lambda pid: pid == 4711)
    with pytest.raises(LocalError, match="4711"):
        stack.Stack({}).release_stale_lock()
    assert pulumi_calls == []


def test_stack_without_a_lock_is_left_alone(
    tmp_path: Path, pulumi_calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "PULUMI_STATE", tmp_path)
    assert not stack.Stack({}).release_stale_lock()
    assert pulumi_calls == []


def test_another_program_with_the_number_of_a_killed_pulumi_is_not_taken_for_it() -> None:
    assert not stack.is_pulumi(os.getpid())


# --- what is left


class FakeProcess:
    def __init__(
        self,
        pid: int,
        variables: dict[str, str] | type[psutil.Error],
        command: str = "vllm serve",
        ancestors: tuple[str, ...] = (),
    ) -> None:
        self.pid = pid
        self._variables = variables
        self._command = command
        self._ancestors = ancestors

    def environ(self) -> dict[str, str]:
        if isinstance(self._variables, dict):
            return self._variables
        raise self._variables(self.pid)

    def cmdline(self) -> list[str]:
        return self._command.split()

    def name(self) -> str:
        return self._command.split()[0]

    def parents(self) -> list["FakeProcess"]:
        return [FakeProcess(1, {}, name) for name in self._ancestors]


def test_only_processes_of_this_local_clouds_machines_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = {"LOCALCLOUD_INSTANCE": "abc", "HOME": str(tmp_path / "machines" / "abc" / "home")}
    theirs = {"LOCALCLOUD_INSTANCE": "def", "HOME": "/elsewhere/machines/def/home"}
    running: list[Any] = [
        FakeProcess(1, ours),
        FakeProcess(2, theirs),
        FakeProcess(3, {"HOME": str(tmp_path)}),
        FakeProcess(4, psutil.AccessDenied),
        FakeProcess(5, psutil.NoSuchProcess),
    ]
    monkeypatch.setattr(psutil, "process_iter", lambda: iter(running))
    assert leftovers.processes_of_machines(tmp_path) == ["process 1 of instance abc: vllm serve"]


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def test_listening_ports_are_found_by_a_machines_address_and_by_the_clouds_port(listening: tuple[str, int]) -> None:
    ip, port = listening
    assert any(f"port {port} on {ip}: process {os.getpid()} " in line for line in leftovers.open_ports([ip], 0))
    assert len(leftovers.open_ports([], port)) == 1
    assert leftovers.open_ports([], 0) == []


# --- what a killed CLI leaves

PLUGIN = "python -m pulumi.dynamic 127.0.0.1:1"


@pytest.mark.parametrize(
    ("backend", "command", "ancestors", "orphan"),
    [
        (BACKEND_URL, PLUGIN, ("init",), True),
        (BACKEND_URL, "pulumi-language-python 127.0.0.1:1", ("init",), True),
        (BACKEND_URL, PLUGIN, ("sh", "pulumi", "bash"), False),
        (BACKEND_URL, "vim __main__.py", ("bash",), False),
        ("file:///another/stack", PLUGIN, ("init",), False),
    ],
    ids=["plugin", "program", "CLI at work", "user's own program", "another checkout"],
)
def test_only_orphans_of_this_stacks_killed_cli_are_ended(
    backend: str, command: str, ancestors: tuple[str, ...], orphan: bool
) -> None:
    process: Any = FakeProcess(1, {"PULUMI_BACKEND_URL": backend}, command, ancestors)
    assert is_orphan(process) is orphan
