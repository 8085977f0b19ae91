"""State goes between the stand-in and the official plugin without a change, where there is an official plugin."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.command_plugin import VERSION
from scripts.command_plugin.install import install
from scripts.tools.plugin_source import PROGRAM, is_stand_in
from tests.support.command_plugin.ssh_host import SshHost
from tests.support.command_plugin.stack import Stack
from tests.support.pulumi_cli import REPOSITORY

FOLDER = Path(f"plugins/resource-command-v{VERSION}")

EVERY_KIND_OF_INPUT = """
    secret = pulumi.Output.secret("b")
    key = pulumi.Output.secret(json.load(open("connection.json"))["private_key"])
    login = remote.ConnectionArgs(**json.load(open("connection.json")) | {"private_key": key})
    first = remote.Command("first", connection=connection, create="echo first", triggers=["a", secret])
    remote.Command("second", connection=login, create="cat", update="true", delete="true",
                   stdin=pulumi.Output.secret("text"), triggers=[first.stdout, first.id], environment={},
                   logging=remote.Logging.NONE, add_previous_output_in_env=False,
                   opts=pulumi.ResourceOptions(additional_secret_outputs=["stdout"]))
    remote.Command("third", connection=pulumi.Output.secret(login), create=pulumi.Output.secret("true"))
    remote.Command("fourth", connection={"host": login.host, "port": login.port, "user": "ubuntu", "private_key": key})
    remote.CopyToRemote("text", connection=login, source=pulumi.StringAsset("text"), remote_path="text")
    remote.CopyToRemote("file", connection=login, source=pulumi.FileAsset("__main__.py"), remote_path="file",
                        triggers=[secret])
    remote.CopyToRemote("folder", connection=login, source=pulumi.FileArchive("folder"), remote_path="folder")
"""


def official_folder() -> Path | None:
    """Where the official plugin is: the user's own, or the one that set-up has taken."""
    homes = [Path(os.environ.get("PULUMI_HOME", "~/.pulumi")).expanduser(), REPOSITORY / ".tools/pulumi-home"]
    folders = [home / FOLDER for home in homes if os.access(home / FOLDER / PROGRAM, os.X_OK)]
    return next((folder for folder in folders if not is_stand_in(folder / PROGRAM)), None)


def use_official(home: Path) -> None:
    folder = official_folder()
    if folder is None:
        pytest.skip(f"no official pulumi-resource-command {VERSION} here")
    shutil.rmtree(home / FOLDER, ignore_errors=True)
    shutil.copytree(folder, home / FOLDER)


def use_stand_in(home: Path) -> None:
    shutil.rmtree(home / FOLDER, ignore_errors=True)
    install(home, Path(sys.executable))


@pytest.mark.parametrize(("before", "after"), [(use_stand_in, use_official), (use_official, use_stand_in)])
def test_state_of_the_one_is_no_change_under_the_other(
    host: SshHost, stack: Stack, tmp_path: Path, before: Callable[[Path], None], after: Callable[[Path], None]
) -> None:
    host.listen()
    (tmp_path / "program/folder").mkdir()
    (tmp_path / "program/folder/inside").write_text("inside")
    stack.program(EVERY_KIND_OF_INPUT)
    before(tmp_path / "home")
    stack.up()
    after(tmp_path / "home")
    stack.preview("--expect-no-changes")
    stack.refresh()
    stack.preview("--expect-no-changes")
    before(tmp_path / "home")
    stack.preview("--expect-no-changes")
    stack.destroy()
