"""Set-up: what is pinned, and the Go that builds it."""

from pathlib import Path

import pytest

from scripts.tools import go, pulumi_cli
from scripts.tools.checkout import Checkout, digest, pinned, this_checkout
from scripts.tools.step import ToolMissingError
from tests.unit.scripts.conftest import executable


def test_this_projects_pins_can_be_read() -> None:
    here = this_checkout()
    assert go.version(pulumi_cli.pinned_cli_version(here)) >= pulumi_cli.OLDEST_CLI
    assert pinned(here.requirements[0], r"^pulumi-command==(\S+)$")


def test_go_package_is_new_enough_for_both_builds() -> None:
    oldest = max(go.version(pinned(module / "go.mod", r"^go (\S+)$")) for module in go.modules(this_checkout()))
    assert go.version(go.GO_PACKAGE) >= oldest


def test_a_missing_pin_is_named(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("requests==2\n")
    with pytest.raises(LookupError, match=r"requirements\.txt"):
        pinned(file, r"^pulumi-command==(\S+)$")


def test_digest_tells_content_that_moved_between_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("ab")
    other.write_text("c")
    before = digest([one, other])
    one.write_text("a")
    other.write_text("bc")
    assert digest([one, other]) != before


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("1.25", (1, 25, 0)),
        ("v3.259.0", (3, 259, 0)),
        ("go version devel", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_versions_are_read_from_what_programs_say(said: str, version: tuple[int, int, int]) -> None:
    assert go.version(said) == version


def test_go_on_path_is_used_only_when_new_enough_for_both_builds(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = executable(tmp_path / "bin" / "go")
    monkeypatch.setenv("PATH", str(on_path.parent))
    installs: list[Checkout] = []
    monkeypatch.setattr(go, "install_go", installs.append)

    monkeypatch.setattr(go, "version_of", lambda program: (1, 25, 11) if program == on_path else (0, 0, 0))
    assert go.ensure_go(checkout) == on_path
    assert installs == []

    own = checkout.tools / "go" / "go" / "bin" / "go"
    monkeypatch.setattr(go, "version_of", lambda program: (1, 26, 6) if program == own and installs else (1, 25, 10))
    assert go.ensure_go(checkout) == own
    assert installs == [checkout]


def test_go_that_was_installed_and_does_not_run_is_said(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go, "install_go", lambda _: None)
    monkeypatch.setattr(go, "version_of", lambda _: (0, 0, 0))
    with pytest.raises(ToolMissingError, match=r"does not run here.*https://go\.dev/dl"):
        go.ensure_go(checkout)


def test_users_go_settings_do_not_change_what_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GOFLAGS": "-mod=mod", "GOOS": "plan9", "GOTOOLCHAIN": "auto", "GOROOT": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOMODCACHE", "/users/cache")
    environment = go.build_environment()
    assert "-mod=readonly" in environment["GOFLAGS"]
    assert environment["GOTOOLCHAIN"] == "local"
    assert not {"GOOS", "GOROOT"} & environment.keys()
    assert environment["GOMODCACHE"] == "/users/cache"
