"""What machines of the kind `nspawn` ask of this computer and what they take from it, without making one."""

import os
import shutil
from pathlib import Path

import pytest

from localcloud.account.records import FirewallRule
from localcloud.cli import main
from localcloud.machines.base import MachineSpec
from localcloud.machines.nspawn import tools
from localcloud.machines.nspawn.disk import MachineDisk
from localcloud.machines.nspawn.firewall import put_script
from localcloud.machines.nspawn.host_access import BUNDLE, access_environment
from localcloud.machines.nspawn.network import addresses, gateway_of


@pytest.mark.parametrize("command", ["up", "serve"])
def test_without_root_and_tools_one_line_says_what_is_missing_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    state = tmp_path / "state"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda program, path: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main([command, "--machines", "nspawn", "--state", str(state), "--port", "0"]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "need root" in said
    assert "apt-get install systemd-container mmdebstrap nftables iproute2 util-linux" in said
    assert list(tmp_path.iterdir()) == []


def test_an_accelerator_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["up", "--machines", "nspawn", "--accelerator", "gh200-570", "--state", str(tmp_path / "state")]
    assert main(arguments) == 1
    assert "--machines process" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_tools_in_roots_folders_are_found() -> None:
    assert tools.tool_environment()["PATH"].endswith("/usr/sbin:/sbin")


def test_what_reaches_registries_is_carried_over_and_nothing_else() -> None:
    host = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "PIP_INDEX_URL": "https://index.example/simple",
        "UV_CACHE_DIR": "/cache",
        "PIP_FIND_LINKS": "/opt/wheels",
        "REQUESTS_CA_BUNDLE": "/somewhere/bundle.pem",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HF_TOKEN": "secret",
    }
    assert access_environment(host) == {
        "SSL_CERT_FILE": BUNDLE,
        "HTTPS_PROXY": "http://proxy.example:3128",
        "PIP_INDEX_URL": "https://index.example/simple",
        "REQUESTS_CA_BUNDLE": BUNDLE,
    }


def test_addresses_of_two_clouds_begin_in_different_places() -> None:
    first, second = addresses(Path("/srv/first")), addresses(Path("/srv/second"))
    assert not {next(first) for _ in range(50)} & {next(second) for _ in range(50)}
    assert gateway_of("10.77.33.1") == "10.77.0.1"


def test_addresses_are_never_a_networks_first_or_last_nor_the_gateways_neighbours() -> None:
    places = addresses(Path("/srv/first"))
    offered = {next(places) for _ in range(250 * 254)}
    assert len(offered) == 250 * 254
    assert min(offered) > 256
    assert max(offered) < 65535
    assert not {place % 256 for place in offered} & {0, 255}


def test_a_disk_that_a_crash_left_half_laid_is_laid_again(tmp_path: Path) -> None:
    spec = MachineSpec("0" * 32, "10.77.1.1", "host", "gpu_1x_gh200", ("ssh-ed25519 AAAA me",), "#cloud-config\n")
    disk = MachineDisk(tmp_path, spec.instance_id)
    seed = disk.written / "var/lib/cloud/seed/nocloud"
    seed.mkdir(parents=True)
    (seed / "user-data").write_text("half")
    disk.lay(spec, {})
    assert (seed / "user-data").read_text() == "#cloud-config\n"
    assert (seed / "user-data").stat().st_mode & 0o777 == 0o600
    assert disk.address() == "10.77.1.1"


def test_what_no_rule_lets_in_is_dropped_last() -> None:
    rule = FirewallRule(protocol="udp", port_range=(53, 53), source_network="203.0.113.0/24", description="")
    lines = [line for line in put_script("t", "10.77.1.1", [rule]).splitlines() if "rule inet t to_10_77_1_1" in line]
    assert lines == [
        "add rule inet t to_10_77_1_1 ip saddr 203.0.113.0/24 udp dport 53-53 accept",
        "add rule inet t to_10_77_1_1 drop",
    ]
