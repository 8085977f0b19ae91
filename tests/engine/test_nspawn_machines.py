"""What a machine of the kind `nspawn` promises. Needs root and Debian's tools; see docs/local-cloud.md."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.machines.nspawn.network import gateway_of
from tests.support.nspawn_cloud import (
    NEEDS_NSPAWN,
    QUIET,
    Debian,
    DebianCloud,
    debian_cloud,
    make_key,
    pings,
    reaches,
    reaches_from,
)
from tests.support.polling import until

pytestmark = NEEDS_NSPAWN

SSH_AND_PING = [
    {"protocol": "tcp", "port_range": [22, 22], "source_network": "0.0.0.0/0", "description": "SSH"},
    {"protocol": "icmp", "source_network": "0.0.0.0/0", "description": "ping"},
]
WEB = 8000


class Pair:
    """Two machines of one cloud: `first` has user data, a ruleset and a filesystem, `second` the same filesystem."""

    def __init__(self, cloud: DebianCloud, folder: Path) -> None:
        self.cloud = cloud
        self.own_key, self.host_key = folder / "own", folder / "host"
        for path in (self.own_key, self.host_key):
            make_key(path)
        self.ruleset = cloud.api("POST", "/firewall-rulesets", {"name": "web", "region": "us-east-3", "rules": []})[
            "id"
        ]
        cloud.api("POST", "/filesystems", {"name": "shared", "region": "us-east-3"})
        first = cloud.launch(
            user_data=self._user_data(),
            hostname="debian",
            firewall_rulesets=[{"id": self.ruleset}],
            file_system_names=["shared"],
        )
        second = cloud.launch(file_system_names=["shared"])
        self.first, self.second = cloud.active(first), cloud.active(second)

    def let_in(self, *sources: str) -> None:
        """Replace the rules of the first machine's ruleset."""
        rules = [
            {"protocol": "tcp", "port_range": [WEB, WEB], "source_network": source, "description": "web"}
            for source in sources
        ]
        self.cloud.api("PATCH", f"/firewall-rulesets/{self.ruleset}", {"rules": rules})

    def _user_data(self) -> str:
        config = {
            "ssh_keys": {
                "ed25519_private": self.host_key.read_text(),
                "ed25519_public": self.host_key.with_suffix(".pub").read_text().strip(),
            },
            "ssh_authorized_keys": [self.own_key.with_suffix(".pub").read_text().strip()],
            "write_files": [{"path": "/etc/promised", "content": "kept\n", "permissions": "0600"}],
            "groups": ["promised"],
            "runcmd": ["id -un > /root/who-ran"],
        }
        return "#cloud-config\n" + json.dumps(config)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two machines that all tests share; a test gives back the rules it changes."""
    folder = tmp_path_factory.mktemp("nspawn")
    with debian_cloud(folder) as cloud:
        yield Pair(cloud, folder)


def _listens(machine: Debian, port: int = WEB) -> None:
    machine.ssh(f"sudo systemctl reset-failed; sudo systemd-run --quiet python3 -m http.server {port}; true")
    machine.wait_for(f"curl -fsS -o /dev/null http://localhost:{port}")


def test_a_machine_is_a_debian_that_its_user_rules(pair: Pair) -> None:
    machine = pair.first
    assert machine.ssh("cloud-init status --wait").endswith("status: done")
    assert machine.ssh("cat /proc/1/comm && hostname && sudo -n id -u").split() == ["systemd", "debian", "0"]
    assert machine.ssh("systemctl is-system-running --wait") == "running"


def test_a_users_unit_outlives_the_session(pair: Pair) -> None:
    machine = pair.first
    machine.ssh("sudo loginctl enable-linger ubuntu && systemd-run --user --quiet --unit=lasting sleep infinity")
    assert machine.ssh("systemctl --user is-active lasting && ls /var/lib/systemd/linger").split() == [
        "active",
        "ubuntu",
    ]
    session = "$(loginctl --no-legend list-sessions | wc -l)"
    machine.wait_for(f"test {session} -le 1 && systemctl --user is-active lasting")


def test_user_data_is_honoured_whole(pair: Pair, tmp_path: Path) -> None:
    machine = pair.first
    known = tmp_path / "known_hosts"
    known.write_text(f"{machine.ip} {pair.host_key.with_suffix('.pub').read_text()}")
    assert machine.ssh("whoami", known_hosts=known) == "ubuntu"
    assert machine.ssh("whoami", key=pair.own_key, known_hosts=known) == "ubuntu"
    machine.ssh("cloud-init status --wait")
    assert machine.ssh("sudo cat /etc/promised /root/who-ran && stat -c '%a %U' /etc/promised").splitlines() == [
        "kept",
        "root",
        "600 root",
    ]
    assert machine.ssh("getent group promised")


def test_a_filesystem_is_shared_and_belongs_to_the_user(pair: Pair) -> None:
    pair.first.ssh("echo hello > /lambda/nfs/shared/note")
    assert pair.second.ssh("cat /lambda/nfs/shared/note && stat -c %U /lambda/nfs/shared") == "hello\nubuntu"


def test_packages_come_from_the_registry_of_this_computer(pair: Pair) -> None:
    machine = pair.second
    machine.ssh("python3 -m venv ~/env && ~/env/bin/pip install --quiet --no-deps six")
    assert machine.ssh("~/env/bin/python -c 'import six; print(six.__name__)'") == "six"


def test_all_is_closed_but_ssh_and_ping(pair: Pair) -> None:
    _listens(pair.second)
    assert reaches(pair.second.ip, 22)
    assert pings(pair.second.ip)
    assert not reaches(pair.second.ip, WEB, QUIET)
    assert not reaches_from(pair.first, pair.second.ip, WEB, QUIET)
    assert reaches_from(pair.first, pair.second.ip, 22)


def test_a_ruleset_lets_in_whom_it_names_as_soon_as_it_is_edited(pair: Pair) -> None:
    _listens(pair.first)
    this_computer, other_machine = gateway_of(pair.first.ip), pair.second.ip
    assert not reaches(pair.first.ip, WEB, QUIET)
    pair.let_in(f"{this_computer}/32")
    assert reaches(pair.first.ip, WEB)
    assert not reaches_from(pair.second, pair.first.ip, WEB, QUIET)
    pair.let_in(f"{other_machine}/32")
    assert not reaches(pair.first.ip, WEB, QUIET)
    assert reaches_from(pair.second, pair.first.ip, WEB)
    pair.let_in()
    assert not reaches_from(pair.second, pair.first.ip, WEB, QUIET)


def test_global_rules_hold_for_every_machine(pair: Pair) -> None:
    _listens(pair.second)
    everything = {"protocol": "all", "port_range": [1, 65535], "source_network": "0.0.0.0/0", "description": ""}
    try:
        pair.cloud.api("PUT", "/firewall-rules", {"data": []})
        assert [reaches(machine.ip, 22, QUIET) for machine in (pair.first, pair.second)] == [False, False]
        assert not pings(pair.first.ip, QUIET)
        pair.cloud.api("PATCH", "/firewall-rulesets/global", {"rules": [everything]})
        assert reaches(pair.second.ip, WEB)
        assert pings(pair.first.ip)
    finally:
        pair.cloud.api("PATCH", "/firewall-rulesets/global", {"rules": SSH_AND_PING})
    assert not reaches(pair.second.ip, WEB, QUIET)


@pytest.mark.parametrize("by", ["sudo reboot", pytest.param("the API", marks=pytest.mark.long)])
def test_a_reboot_is_real_and_keeps_disk_and_address(pair: Pair, by: str) -> None:
    machine = pair.second
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = machine.ssh(f"touch ~/kept && sudo touch /run/lost && {boot}")
    if by == "the API":
        pair.cloud.api("POST", "/instance-operations/restart", {"instance_ids": [machine.id]})
    else:
        machine.try_ssh("sudo reboot")
    machine.wait_for(f"test $({boot}) != {before}")
    assert machine.ssh("ls ~/kept; ls /run/lost 2>/dev/null; true") == "/home/ubuntu/kept"
    assert pair.cloud.active(machine.id).ip == machine.ip
    assert not reaches(machine.ip, WEB, QUIET)


def test_a_killed_cloud_leaves_its_machine_running_and_down_leaves_nothing(pair: Pair, tmp_path: Path) -> None:
    """Beside another local cloud, which notices nothing."""
    with debian_cloud(tmp_path) as other:
        machine = other.active(other.launch())
        assert machine.ip not in (pair.first.ip, pair.second.ip)
        boot = machine.ssh("cat /proc/sys/kernel/random/boot_id")
        server = json.loads((other.cloud.state / "server.json").read_text())["pid"]
        os.kill(server, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{server}/cmdline").exists())
        assert machine.ssh("cat /proc/sys/kernel/random/boot_id") == boot
        assert other.left_of(machine.id)
    assert other.left_of(machine.id) == []
    assert pair.first.ssh("whoami") == "ubuntu"
    assert not reaches(pair.second.ip, WEB, QUIET)


def test_a_terminated_machine_leaves_nothing(pair: Pair) -> None:
    """Last, since it takes one of the two; the firewall stays for the other."""
    machine = pair.second
    pair.cloud.api("POST", "/instance-operations/terminate", {"instance_ids": [machine.id]})
    until(lambda: len(pair.cloud.left_of(machine.id)) == 1)
    assert pair.cloud.table in pair.cloud.left_of(machine.id)[0]
    assert pair.first.ssh("whoami") == "ubuntu"
