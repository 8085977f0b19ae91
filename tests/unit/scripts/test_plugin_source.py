"""Set-up: where the plugin `command` comes from."""

from pathlib import Path

import pytest

from scripts.command_plugin.install import MARK
from scripts.tools import command_plugin
from scripts.tools.checkout import Checkout
from scripts.tools.plugin_source import STAND_IN_MARK, version_problem
from tests.unit.scripts.conftest import executable


class PluginSources:
    """Stands for the user's own Pulumi home, what a plugin answers, the download and the stand-in."""

    def __init__(self, checkout: Checkout, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = checkout.pulumi_home / "plugins" / "resource-command-v1.2.1"
        self.downloadable = False
        self.stand_ins = 0
        self.asked = 0
        self.problem: str | None = None
        monkeypatch.setenv("PULUMI_HOME", str(home))
        monkeypatch.setenv("PATH", str(home.parent / "bin"))
        monkeypatch.setattr(command_plugin, "problem_of", self.problem_of)
        monkeypatch.setattr(command_plugin, "download_plugin", self.download)
        monkeypatch.setattr(command_plugin, "install_stand_in", self.install_stand_in)

    def problem_of(self, *_: object) -> str | None:
        self.asked += 1
        return self.problem

    def download(self, *_: object) -> bool:
        if self.downloadable:
            executable(self.folder / "pulumi-resource-command")
        return self.downloadable

    def install_stand_in(self, _: Checkout) -> None:
        self.stand_ins += 1
        executable(self.folder / "pulumi-resource-command")


PULUMI = Path("pulumi")
FILE = Path("plugins/resource-command-v1.2.1/pulumi-resource-command")


def test_plugin_that_the_user_has_is_copied_with_what_is_beside_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    theirs = executable(tmp_path / "home" / FILE, "\x7fELF")
    (theirs.parent / "LICENSE").write_text("Apache")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert sorted(file.name for file in sources.folder.iterdir()) == ["LICENSE", theirs.name]
    assert command_plugin.is_installed(sources.folder)
    assert sources.stand_ins == 0


def test_plugin_on_path_goes_before_one_of_the_users_home_as_pulumi_has_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    executable(tmp_path / "home" / FILE, "home")
    executable(tmp_path / "bin" / FILE.name, "path")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert (sources.folder / FILE.name).read_text() == "path"


def test_plugin_that_the_user_gets_later_takes_the_place_of_the_stand_in(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    executable(tmp_path / "home" / FILE, "\x7fELF")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert (sources.folder / FILE.name).read_text() == "\x7fELF"


def test_program_that_was_refused_is_asked_again_only_when_it_has_changed(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    theirs = executable(tmp_path / "home" / FILE, "broken")
    sources.problem = "it does not answer"
    for _ in range(2):
        assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    assert (sources.asked, sources.stand_ins) == (1, 1)

    executable(theirs, "mended since")
    sources.problem = None
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"


def test_stand_in_of_another_checkout_is_not_taken_for_the_official_plugin(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MARK.encode().startswith(STAND_IN_MARK)
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    executable(tmp_path / "home" / FILE, f"#!/bin/sh\n{MARK}\n")
    executable(tmp_path / "bin" / FILE.name, f"#!/bin/sh\n{MARK}\n")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    assert sources.asked == 0


@pytest.mark.parametrize("said", ["1.2.1", "v1.2.1", "", "1.0.0-alpha.0+dev"])
def test_a_build_that_says_no_other_release_goes_by_its_place(said: str) -> None:
    assert version_problem(said, "1.2.1") is None


@pytest.mark.parametrize("said", ["1.1.0", "v1.2.2", "2.0.0"])
def test_another_release_is_refused(said: str) -> None:
    assert version_problem(said, "1.2.1") == f"it is version {said.removeprefix('v')}, and 1.2.1 is wanted"


def test_another_version_of_the_users_plugin_is_not_used(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PluginSources(checkout, tmp_path / "home", monkeypatch)
    executable(tmp_path / "home" / str(FILE).replace("1.2.1", "1.1.0"), "\x7fELF")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"


def test_stand_in_is_used_only_when_the_official_plugin_cannot_be_had(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    sources.downloadable = True
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert sources.stand_ins == 0


def test_stand_in_is_installed_once_and_again_when_the_checkout_moved(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    for _ in range(2):
        assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    assert sources.stand_ins == 1

    moved = Checkout(checkout.root.rename(tmp_path / "moved"))
    sources.folder = moved.pulumi_home / "plugins" / "resource-command-v1.2.1"
    assert command_plugin.ensure_command_plugin(moved, PULUMI) == "stand-in"
    assert sources.stand_ins == 2


@pytest.mark.parametrize("left", ["nothing", "a file that is no program", "a folder"])
def test_place_without_a_program_is_passed_over(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    place = tmp_path / "home" / FILE
    place.parent.mkdir(parents=True)
    if left == "a folder":
        place.mkdir()
    elif left != "nothing":
        place.write_text("text")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    assert sources.asked == 0


def test_plugin_that_cannot_be_copied_is_said_and_passed_over(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    PluginSources(checkout, tmp_path / "home", monkeypatch)
    theirs = executable(tmp_path / "home" / FILE, "\x7fELF")
    (theirs.parent / "dangling").symlink_to("/nowhere/at/all")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    assert f"{theirs} is not used: it cannot be copied: " in capsys.readouterr().out
