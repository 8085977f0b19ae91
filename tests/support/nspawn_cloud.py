"""A local cloud with nspawn machines, as its users reach it: over the API and over SSH."""

import secrets
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud.errors import LocalCloudError
from localcloud.machines.nspawn.firewall import Firewall
from localcloud.machines.nspawn.network import device_of
from localcloud.machines.nspawn.tools import cgroup_root, check_host
from tests.support.local_cloud import LocalCloud, local_cloud
from tests.support.polling import PATIENCE_S, until

QUIET = 1.0
"""Seconds after which what has not answered is taken for shut."""


def _why_not() -> str | None:
    try:
        check_host()
    except LocalCloudError as error:
        return str(error)
    return None


NEEDS_NSPAWN = pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")
"""For tests of machines of this kind, which need root and Debian's tools."""


@dataclass(frozen=True)
class Debian:
    """One machine, with a key that may log in."""

    id: str
    ip: str
    key: Path

    def ssh(self, command: str, key: Path | None = None, known_hosts: Path | None = None) -> str:
        """What the command prints; it has to succeed. The host key is checked only against `known_hosts`."""
        done = self.try_ssh(command, key, known_hosts)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def try_ssh(
        self, command: str, key: Path | None = None, known_hosts: Path | None = None, connect_seconds: int = 30
    ) -> "subprocess.CompletedProcess[str]":
        """The command as it ended; 255 when SSH itself did not get through."""
        checking = "yes" if known_hosts else "no"
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": str(connect_seconds),
            "StrictHostKeyChecking": checking,
            "UserKnownHostsFile": known_hosts or "/dev/null",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        line = ["ssh", "-q", *words, "-i", str(key or self.key), f"ubuntu@{self.ip}", command]
        return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def wait_for(self, command: str) -> str:
        """What the command prints once it succeeds, over a connection that may have to be made again and again."""

        def tried() -> "subprocess.CompletedProcess[str] | None":
            done = self.try_ssh(command, connect_seconds=3)
            return None if done.returncode else done

        return until(tried, every=0.3).stdout.strip()


@dataclass(frozen=True)
class DebianCloud:
    """A running local cloud with one SSH key in its account."""

    cloud: LocalCloud
    key: Path

    def api(self, method: str, path: str, body: object = None) -> Any:
        """The data of a successful answer."""
        return self.cloud.api(method, path, body)

    def launch(self, **more: object) -> str:
        """Ask for an instance; its id."""
        body = {
            "region_name": "us-east-3",
            "instance_type_name": "gpu_1x_gh200",
            "ssh_key_names": ["key"],
            **more,
        }
        return str(self.api("POST", "/instance-operations/launch", body)["instance_ids"][0])

    def active(self, instance_id: str) -> Debian:
        """The machine of an instance, once it is active."""

        def ip() -> str | None:
            instance = self.api("GET", f"/instances/{instance_id}")
            assert instance["status"] in ("booting", "active"), (self.cloud.state / "serve.log").read_text()
            return instance["ip"] if instance["status"] == "active" else None

        return Debian(instance_id, until(ip, every=0.3), self.key)

    def left_of(self, instance_id: str) -> list[str]:
        """Everything on this computer that belongs to a machine of this cloud."""
        cgroup = (cgroup_root() or Path("/")) / f"localcloud-{instance_id}"
        places = [cgroup, self.cloud.state / "machines" / instance_id]
        found = [str(place) for place in places if place.exists()]
        state = str(self.cloud.state)
        found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if state in line]
        found += [line for line in _said("ip", "-brief", "link") if line.startswith(device_of(instance_id))]
        found += [line for line in _said("nft", "list", "tables") if self.table in line]
        processes = (" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))
        return found + [process for process in processes if instance_id in process]

    @property
    def table(self) -> str:
        """The name of the cloud's firewall."""
        return Firewall(self.cloud.state / "machines").table


@contextmanager
def debian_cloud(folder: Path) -> Iterator[DebianCloud]:
    """A local cloud of its own; in the end every machine is destroyed."""
    key = folder / "key"
    make_key(key)
    with local_cloud(folder / "state", "nspawn") as cloud:
        debians = DebianCloud(cloud, key)
        debians.api("POST", "/ssh-keys", {"name": "key", "public_key": key.with_suffix(".pub").read_text()})
        yield debians


def reaches(ip: str, port: int, within: float = 20.0) -> bool:
    """Whether this computer connects within some seconds; what the firewall refuses is silence."""
    try:
        socket.create_connection((ip, port), timeout=within).close()
    except TimeoutError:
        return False
    return True


def reaches_from(machine: Debian, ip: str, port: int, within: float = 20.0) -> bool:
    """Whether a machine connects to another."""
    return machine.try_ssh(f"timeout {within} bash -c '</dev/tcp/{ip}/{port}'").returncode == 0


def pings(ip: str, within: float = 20.0) -> bool:
    """Whether an echo request (RFC 792) of this computer is answered; `ping` is not everywhere."""
    # A new identifier each time: to the firewall the next request with the same one belongs to the first.
    body = struct.pack("!HH", secrets.randbelow(0x10000), 1) + b"payload!"
    total = sum(struct.unpack("!6H", body)) + 0x0800
    total = (total & 0xFFFF) + (total >> 16)
    request = struct.pack("!HH", 0x0800, ~(total + (total >> 16)) & 0xFFFF) + body
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(within)
        try:
            raw.sendto(request, (ip, 0))
            while True:
                answer, (sender, _) = raw.recvfrom(1024)
                if sender == ip and answer[20] == 0:
                    return True
        except (TimeoutError, PermissionError):
            # The kernel tells its own programs that the firewall took the packet.
            return False


def make_key(path: Path) -> None:
    """A key pair without a pass phrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)


def _said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
