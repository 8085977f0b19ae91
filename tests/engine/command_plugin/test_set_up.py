"""What set-up puts under `.tools/pulumi-home` is what Pulumi takes, whatever else of that name there is."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from scripts.command_plugin import VERSION
from scripts.local.environment import variables
from scripts.tools import command_plugin
from scripts.tools.checkout import Checkout
from scripts.tools.proof import prove
from scripts.tools.step import ToolMissingError
from tests.support.command_plugin.ssh_host import SshHost
from tests.support.command_plugin.stack import Stack
from tests.support.long import cases
from tests.support.pulumi_cli import REPOSITORY, pulumi_environment

FOLDER = Path(f"plugins/resource-command-v{VERSION}")
PROGRAM = "pulumi-resource-command"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with its Python, where nothing can be downloaded, of a user who has no plugin yet."""
    here = Checkout(tmp_path / "checkout")
    here.tools.mkdir(parents=True)
    for name in ("scripts", "localcloud", "entry_point.py", "requirements.txt", "requirements-dev.txt"):
        (here.root / name).symlink_to(REPOSITORY / name)
    program(here.python, f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    monkeypatch.setattr(command_plugin, "download_plugin", lambda *_: False)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "user"))
    return here


def program(file: Path, content: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(0o755)
    return file


def real_plugin(file: Path, version: str = VERSION) -> Path:
    """A plugin that says a version, starts as the official one does and is no stand-in by its looks."""
    start = (
        "import asyncio, sys; from scripts.command_plugin import service; "
        f"service.VERSION = {version!r}; "
        "from scripts.command_plugin.server import serve; asyncio.run(serve(sys.argv[-1]))"
    )
    environment = f"PYTHONPATH={shlex.quote(str(REPOSITORY))}"
    return program(file, f'#!/bin/sh\n{environment} exec {shlex.quote(sys.executable)} -c "{start}" "$@"\n')


def set_up(checkout: Checkout) -> str:
    return command_plugin.ensure_command_plugin(checkout, Path("pulumi"))


def environment_of(checkout: Checkout, tmp_path: Path) -> dict[str, str]:
    """As in the shell of `make local`, with a state of its own."""
    isolated = pulumi_environment(checkout.pulumi_home, tmp_path / "backend")
    own = {name: value for name, value in variables(None).items() if name not in isolated and name != "VIRTUAL_ENV"}
    return isolated | own


def listed_by_pulumi(environment: dict[str, str]) -> list[tuple[str, bool]]:
    """Version of each plugin `command` that Pulumi knows, and whether there is anything in it."""
    said = subprocess.run(
        ["pulumi", "plugin", "ls", "--json"], env=environment, capture_output=True, text=True, check=True
    )
    plugins = json.loads(said.stdout)
    return [(one["version"], one["size"] > 0) for one in plugins if one["name"] == "command"]


def test_pulumi_knows_the_plugin_that_the_user_had(checkout: Checkout, tmp_path: Path) -> None:
    real_plugin(tmp_path / "user" / FOLDER / PROGRAM)
    assert set_up(checkout) == "official"
    assert listed_by_pulumi(environment_of(checkout, tmp_path)) == [(VERSION, True)]


def test_stack_made_with_the_stand_in_is_taken_down_with_the_plugin_that_came_meanwhile(
    checkout: Checkout, tmp_path: Path, host: SshHost, key: asyncssh.SSHKey
) -> None:
    host.listen()
    assert set_up(checkout) == "stand-in"
    stack = Stack(tmp_path / "project", environment_of(checkout, tmp_path), tmp_path / "backend")
    stack.connect(host, key)
    stack.program('remote.Command("one", connection=connection, create="touch made", delete="rm made")')
    stack.up()
    assert (host.disk / "made").exists()

    real_plugin(tmp_path / "user" / FOLDER / PROGRAM)
    assert set_up(checkout) == "official"
    stack.preview("--expect-no-changes")
    stack.destroy()
    assert not (host.disk / "made").exists()


def test_plugin_that_the_user_has_no_more_stays_here(checkout: Checkout, tmp_path: Path) -> None:
    theirs = real_plugin(tmp_path / "user" / FOLDER / PROGRAM)
    set_up(checkout)
    theirs.unlink()
    assert set_up(checkout) == "official"
    assert listed_by_pulumi(environment_of(checkout, tmp_path)) == [(VERSION, True)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\x7fELF of another computer", "cannot be started"),
        ("#!/bin/sh\nexit 0\n", "does not print the number of a port"),
        ("#!/bin/sh\necho 1\n", "does not answer"),
    ],
)
def test_program_that_is_no_plugin_is_not_taken_and_said_why(
    checkout: Checkout, tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str | bytes, problem: str
) -> None:
    theirs = program(tmp_path / "user" / FOLDER / PROGRAM, content)
    assert set_up(checkout) == "stand-in"
    assert f"{theirs} is not used: it {problem}" in capfd.readouterr().out
    assert listed_by_pulumi(environment_of(checkout, tmp_path)) == [(VERSION, True)]


def test_plugin_of_another_version_in_the_right_folder_is_not_taken(
    checkout: Checkout, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real_plugin(tmp_path / "user" / FOLDER / PROGRAM, "1.1.0")
    assert set_up(checkout) == "stand-in"
    assert f"it is version 1.1.0, and {VERSION} is wanted" in capfd.readouterr().out


def test_download_that_pulumi_has_not_ended_is_not_taken(checkout: Checkout, tmp_path: Path) -> None:
    theirs = tmp_path / "user" / FOLDER
    real_plugin(theirs / PROGRAM)
    theirs.with_name(f"{theirs.name}.partial").touch()
    assert set_up(checkout) == "stand-in"


@pytest.mark.parametrize("left", ["a download that has not ended", "a link", "a file"])
def test_what_lies_at_our_own_place_is_replaced(checkout: Checkout, tmp_path: Path, left: str) -> None:
    place = checkout.pulumi_home / FOLDER
    place.parent.mkdir(parents=True)
    if left == "a link":
        place.symlink_to(real_plugin(tmp_path / "elsewhere" / PROGRAM).parent)
        (checkout.tools / "command-plugin").write_text(f"official {checkout.root}")
    elif left == "a file":
        place.touch()
    else:
        real_plugin(place / PROGRAM)
        place.with_name(f"{place.name}.partial").touch()
    assert set_up(checkout) == "stand-in"
    assert listed_by_pulumi(environment_of(checkout, tmp_path)) == [(VERSION, True)]


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program goes that the user has on PATH."""
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / PROGRAM


def test_engine_takes_what_was_announced_and_no_program_that_happens_to_be_on_path(
    checkout: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    host: SshHost,
    key: asyncssh.SSHKey,
) -> None:
    theirs = program(on_path(tmp_path / "bin", monkeypatch), f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    assert set_up(checkout) == "stand-in"
    said = capfd.readouterr().out
    assert f"{theirs} is not used: " in said
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" in said

    (tmp_path / "ran").unlink()  # set-up has asked it
    stack = Stack(tmp_path / "project", environment_of(checkout, tmp_path), tmp_path / "backend")
    stack.connect(host, key)
    stack.program('remote.Command("one", connection=connection, create="true")')
    stack.preview()
    prove(checkout, cli())
    assert not (tmp_path / "ran").exists()


def test_plugin_on_path_that_is_the_right_one_is_the_one_set_up(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = real_plugin(on_path(tmp_path / "bin", monkeypatch))
    assert set_up(checkout) == "official"
    assert (checkout.pulumi_home / FOLDER / PROGRAM).read_bytes() == theirs.read_bytes()
    assert listed_by_pulumi(environment_of(checkout, tmp_path)) == [(VERSION, True)]


def test_plugin_on_path_of_another_version_is_neither_set_up_nor_taken(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real_plugin(on_path(tmp_path / "bin", monkeypatch), "1.1.0")
    assert set_up(checkout) == "stand-in"
    assert f"it is version 1.1.0, and {VERSION} is wanted" in capfd.readouterr().out


def cli() -> Path:
    found = shutil.which("pulumi")
    assert found is not None
    return Path(found).parent


def test_set_up_ends_when_pulumi_has_run_a_program_with_it_and_does_that_once(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up(checkout)
    capsys.readouterr()
    prove(checkout, cli())
    assert "asking Pulumi whether all of it works" in capsys.readouterr().out
    prove(checkout, cli())
    assert capsys.readouterr().out == ""


DAMAGES = ("the plugin ends at once", "the plugin's folder is a link")


@pytest.mark.parametrize("damage", cases(zip(DAMAGES, DAMAGES, strict=True), DAMAGES[:1]))
def test_set_up_does_not_end_well_with_a_plugin_that_pulumi_cannot_use(checkout: Checkout, damage: str) -> None:
    set_up(checkout)
    folder = checkout.pulumi_home / FOLDER
    if damage == "the plugin ends at once":
        program(folder / PROGRAM, "#!/bin/sh\nexit 1\n")
    else:
        folder.rename(folder.with_name("elsewhere"))
        folder.symlink_to(folder.with_name("elsewhere"))
    with pytest.raises(ToolMissingError, match="does not run a program with what was set up"):
        prove(checkout, cli())
    assert not (checkout.tools / "proved").exists()
