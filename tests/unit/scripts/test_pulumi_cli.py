"""Set-up: a Pulumi CLI that is there is used, one that is half there is made anew, none is made twice."""

from pathlib import Path

import pytest

from scripts.tools import __main__ as set_up
from scripts.tools import pulumi_cli
from scripts.tools.checkout import Checkout
from scripts.tools.step import ToolMissingError
from tests.unit.scripts.conftest import executable


def installed_pulumi(folder: Path, programs: tuple[str, ...] = pulumi_cli.PROGRAMS) -> Path:
    for program in programs:
        executable(folder / program)
    return folder


def test_complete_pulumi_on_path_is_used(tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = installed_pulumi(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(pulumi_cli, "cli_version", lambda _: (3, 259, 0))
    assert pulumi_cli.cli_on_path(excluding=checkout.bin) == folder


def test_helpers_beside_the_file_that_a_link_points_to_count(
    tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed_pulumi(tmp_path / "opt")
    links = tmp_path / "bin"
    links.mkdir()
    (links / "pulumi").symlink_to(folder / "pulumi")
    monkeypatch.setenv("PATH", str(links))
    monkeypatch.setattr(pulumi_cli, "cli_version", lambda _: (3, 259, 0))
    assert pulumi_cli.cli_on_path(excluding=checkout.bin) == links


@pytest.mark.parametrize("missing", pulumi_cli.PROGRAMS)
def test_pulumi_without_one_of_its_helpers_is_not_used(
    missing: str, tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed_pulumi(tmp_path / "bin", tuple(name for name in pulumi_cli.PROGRAMS if name != missing))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(pulumi_cli, "cli_version", lambda _: (3, 259, 0))
    assert pulumi_cli.cli_on_path(excluding=checkout.bin) is None


def test_old_pulumi_is_not_used(tmp_path: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed_pulumi(tmp_path / "bin")))
    monkeypatch.setattr(pulumi_cli, "cli_version", lambda _: (3, 199, 9))
    assert pulumi_cli.cli_on_path(excluding=checkout.bin) is None


class Builds:
    """Stands for the installer and the build: fills the folder, counts, and fails when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.fails = False
        monkeypatch.setattr(pulumi_cli, "install_cli", lambda *_: False)
        monkeypatch.setattr(pulumi_cli, "build_cli", self.build)
        monkeypatch.setattr(pulumi_cli, "cli_on_path", lambda *, excluding: None)

    def build(self, _: Checkout, destination: Path) -> None:
        self.count += 1
        executable(destination / "pulumi")
        if self.fails:
            raise ToolMissingError("build failed")


def test_finished_build_is_not_repeated(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    assert pulumi_cli.ensure_cli(checkout) == pulumi_cli.ensure_cli(checkout) == checkout.bin
    assert (checkout.bin / "pulumi").exists()
    assert builds.count == 1


def test_cli_that_was_set_up_here_goes_before_one_that_comes_to_path_later(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.tools/bin` is first on the PATH of every target: what is announced has to be what runs."""
    Builds(monkeypatch)
    pulumi_cli.ensure_cli(checkout)
    monkeypatch.setattr(pulumi_cli, "cli_on_path", lambda *, excluding: tmp_path)
    assert pulumi_cli.ensure_cli(checkout) == checkout.bin

    (checkout.cli_module / "go.sum").write_text("another\n")
    assert pulumi_cli.ensure_cli(checkout) == tmp_path
    assert not checkout.bin.exists()


def test_helpers_elsewhere_on_path_do_not_count(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi does not look there when it is told to pass over the plugins on PATH."""
    installed_pulumi(tmp_path / "bin", ("pulumi",))
    installed_pulumi(tmp_path / "helpers", pulumi_cli.PROGRAMS[1:])
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{tmp_path / 'helpers'}")
    monkeypatch.setattr(pulumi_cli, "cli_version", lambda _: (3, 259, 0))
    assert pulumi_cli.cli_on_path(excluding=checkout.bin) is None


def test_changed_pin_builds_anew(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    pulumi_cli.ensure_cli(checkout)
    (checkout.cli_module / "go.sum").write_text("another\n")
    pulumi_cli.ensure_cli(checkout)
    assert builds.count == 2


def test_failed_build_is_never_taken_for_a_finished_one(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    builds.fails = True
    with pytest.raises(ToolMissingError):
        pulumi_cli.ensure_cli(checkout)
    assert not checkout.bin.exists()

    set_up.remove_partial(checkout.tools)
    builds.fails = False
    pulumi_cli.ensure_cli(checkout)
    assert builds.count == 2
    assert list(checkout.tools.iterdir()) == [checkout.bin]
