"""Set-up: `.venv` follows the requirement files."""

from pathlib import Path

import pytest

from scripts.tools import virtualenv
from scripts.tools.checkout import Checkout
from scripts.tools.step import CommandFailedError, ToolMissingError


class Commands:
    """Stands for Step.run: remembers what would have run; fails when a word of `failing` is in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failing: str) -> None:
        self.lines: list[str] = []
        self.failing = failing
        monkeypatch.setattr("scripts.tools.step.Step.run", self.run)

    def run(self, *argv: str | Path) -> None:
        line = " ".join(map(str, argv))
        self.lines.append(line)
        if any(f" {word} " in line for word in self.failing):
            raise CommandFailedError("failed", Path("/dev/null"))


@pytest.fixture
def usable_venv(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Path:
    checkout.venv.mkdir()
    monkeypatch.setattr(virtualenv, "is_usable", lambda _: True)
    return checkout.venv


@pytest.mark.usefixtures("usable_venv")
def test_packages_are_installed_once_until_a_requirement_changes(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(monkeypatch)
    virtualenv.ensure_virtualenv(checkout)
    first = len(commands.lines)
    assert first > 0
    virtualenv.ensure_virtualenv(checkout)
    assert len(commands.lines) == first

    checkout.requirements[0].write_text("pulumi==3.273.0\n")
    virtualenv.ensure_virtualenv(checkout)
    assert len(commands.lines) == 2 * first
    assert not any("--clear" in line for line in commands.lines)


@pytest.mark.usefixtures("usable_venv")
def test_environment_that_was_moved_is_made_anew(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = Commands(monkeypatch)
    virtualenv.ensure_virtualenv(checkout)
    virtualenv.ensure_virtualenv(Checkout(checkout.root.rename(tmp_path / "moved")))
    assert [line for line in commands.lines if "--clear" in line]


@pytest.mark.usefixtures("usable_venv")
def test_pip_installs_where_uv_cannot(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands(monkeypatch, "uv")
    virtualenv.ensure_virtualenv(checkout)
    assert " -m pip install " in commands.lines[-1]
    assert commands.lines[-1].endswith(f" -r {checkout.requirements[-1]}")


@pytest.mark.usefixtures("usable_venv")
def test_failed_install_is_tried_again_next_time(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    Commands(monkeypatch, "install")
    with pytest.raises(ToolMissingError, match=r"requirements-dev\.txt"):
        virtualenv.ensure_virtualenv(checkout)
    commands = Commands(monkeypatch)
    virtualenv.ensure_virtualenv(checkout)
    assert commands.lines
