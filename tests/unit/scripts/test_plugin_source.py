"""Set-up: where the plugin `command` comes from."""

from pathlib import Path

import pytest

from scripts.tools import command_plugin
from scripts.tools.checkout import Checkout
from tests.unit.scripts.conftest import executable


class PluginSources:
    """Stands for the user's own Pulumi home, the download and the stand-in."""

    def __init__(self, checkout: Checkout, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = checkout.pulumi_home / "plugins" / "resource-command-v1.2.1"
        self.downloadable = False
        self.stand_ins = 0
        monkeypatch.setenv("PULUMI_HOME", str(home))
        monkeypatch.setattr(command_plugin, "download_plugin", self.download)
        monkeypatch.setattr(command_plugin, "install_stand_in", self.install_stand_in)

    def download(self, *_: object) -> bool:
        if self.downloadable:
            executable(self.folder / "pulumi-resource-command")
        return self.downloadable

    def install_stand_in(self, _: Checkout) -> None:
        self.stand_ins += 1
        executable(self.folder / "pulumi-resource-command")


PULUMI = Path("pulumi")
FILE = Path("plugins/resource-command-v1.2.1/pulumi-resource-command")


def test_plugin_that_the_user_has_is_linked(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    theirs = executable(tmp_path / "home" / FILE, "\x7fELF")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert (sources.folder / theirs.name).resolve() == theirs
    assert sources.stand_ins == 0


def test_plugin_that_the_user_gets_later_takes_the_place_of_the_stand_in(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PluginSources(checkout, tmp_path / "home", monkeypatch)
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"
    theirs = executable(tmp_path / "home" / FILE, "\x7fELF")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "official"
    assert (sources.folder / theirs.name).resolve() == theirs


def test_stand_in_of_another_checkout_is_not_taken_for_the_official_plugin(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PluginSources(checkout, tmp_path / "home", monkeypatch)
    executable(tmp_path / "home" / FILE, "#!/bin/sh\n")
    assert command_plugin.ensure_command_plugin(checkout, PULUMI) == "stand-in"


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
