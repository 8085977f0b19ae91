"""A GPU machine at Lambda that is ready for commands: its own key, launch, wait."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.instance.resource import Instance, InstanceArgs
from components.machine.access import Access
from components.machine.host import USER, Host
from components.machine.key_pair.resource import KeyPair
from components.machine.known_hosts import known_hosts_line
from components.machine.ssh_words import ssh_words


@dataclass(frozen=True)
class GpuMachineArgs:
    """What a machine is made from."""

    name: str
    """Up to 48 characters."""
    access: Access
    """Who may reach it."""
    instance_types: pulumi.Input[list[str]]
    """Acceptable types in order of preference."""
    regions: Sequence[str]
    """Acceptable regions in order of preference."""
    image_family: str | None = "lambda-stack-24-04"
    image_id: str | None = None
    """Instead of the family."""
    tags: Mapping[str, str] = field(default_factory=dict)
    max_price_cents_per_hour: int | None = None
    capacity_timeout_seconds: int = 1800
    boot_timeout_seconds: int = 1800
    filesystem_names: Sequence[pulumi.Input[str]] = ()
    """Filesystems to mount at /lambda/nfs/NAME; they have to lie in the one region."""
    obstacles: Sequence[str] = ()
    """What is known to speak against a launch now, a line each; it ends no machine that runs."""
    launch_after: Sequence[pulumi.Resource] = ()
    """What has to have succeeded before money is spent."""


class GpuMachine(pulumi.ComponentResource):
    """One instance, reachable over SSH with a host key that was known before the first connection."""

    host: Host
    instance: Instance
    access: Access
    host_key: KeyPair
    ip: pulumi.Output[str]
    boot_seconds: pulumi.Output[int]
    booted_at: pulumi.Output[int]
    """When the wait for it was over, by this computer's clock: seconds since 1970."""

    def __init__(self, name: str, args: GpuMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:machine:GpuMachine", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.access = args.access
        self._ssh_port = self.access.args.ssh_port
        self._name = args.name
        self.host_key = KeyPair(f"{name}-host-key", {"comment": f"{args.name}-host"}, child)
        last = pulumi.ResourceOptions(parent=self, depends_on=list(args.launch_after))
        self.instance = Instance(f"{name}-instance", self._launch_args(args), last)
        boot = BootWait(
            f"{name}-boot",
            {
                "machines": [{"instance_id": self.instance.id, "public_host_key": self.host_key.public_key}],
                "ssh_port": self._ssh_port,
                "timeout_seconds": args.boot_timeout_seconds,
            },
            child,
        )
        self.ip = boot.ips.apply(lambda ips: ips[0])
        self.boot_seconds = boot.seconds
        self.booted_at = boot.until
        self.host = Host(
            instance=self.instance,
            ready=boot,
            ip=self.ip,
            port=self._ssh_port,
            private_key=self.access.key.private_key,
            public_host_key=self.host_key.public_key,
            parent=self,
        )
        self._place = pulumi.Output.all(self.ip, self.host_key.public_key)
        self.known_hosts = self._place.apply(lambda known: known_hosts_line(known[0], self._ssh_port, known[1]))
        self.ssh = self._ssh_command()
        self.price_per_hour = self.instance.price_cents_per_hour.apply(lambda cents: cents / 100)
        # In the state from now on. A stack has no outputs before its first `up` has succeeded, and `python -m ops` is
        # to reach a machine on which something failed.
        self.register_outputs(
            {
                "ip": self.ip,
                "ssh": self.ssh,
                "ssh_private_key": self.access.key.private_key,
                "instance_id": self.instance.id,
                "instance_type": self.instance.instance_type,
                "price_per_hour": self.price_per_hour,
            }
        )

    def tunnel(self, port: int) -> pulumi.Output[str]:
        """An `ssh` command to paste that brings a port of the machine to this computer."""
        return self._ssh_command(f"-N -L {port}:localhost:{port} ")

    def _ssh_command(self, rest: str = "") -> pulumi.Output[str]:
        file = f"~/.ssh/{self._name}"
        return self._place.apply(lambda known: ssh_command(known[0], self._ssh_port, known[1], file, rest))

    def _launch_args(
        self,
        args: GpuMachineArgs,
    ) -> InstanceArgs:
        launch: InstanceArgs = {
            "instance_types": args.instance_types,
            "regions": list(args.regions),
            "name": args.name,
            "ssh_key_name": self.access.ssh_key.name,
            "user_data": pulumi.Output.all(self.host_key.private_key, self.host_key.public_key).apply(
                lambda pair: user_data(*pair)
            ),
            "firewall_rulesets": {region: self.access.rulesets[region].id for region in args.regions},
            "tags": dict(args.tags),
            "capacity_timeout_seconds": args.capacity_timeout_seconds,
            "obstacles": list(args.obstacles),
        }
        if args.filesystem_names:
            launch["filesystem_names"] = list(args.filesystem_names)
        if args.max_price_cents_per_hour is not None:
            launch["max_price_cents_per_hour"] = args.max_price_cents_per_hour
        if args.image_id is not None:
            launch["image_id"] = args.image_id
        elif args.image_family is not None:
            launch["image_family"] = args.image_family
        return launch


def user_data(private_host_key: str, public_host_key: str) -> str:
    """cloud-init text that gives the machine our host key, and no other (module cc_ssh of cloud-init)."""
    settings = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": private_host_key, "ed25519_public": public_host_key},
    }
    # JSON is YAML, and it needs no care for line breaks in the key.
    return "#cloud-config\n" + json.dumps(settings, indent=1) + "\n"


def ssh_command(ip: str, port: int, public_host_key: str, key_file: str, rest: str = "") -> str:
    """An `ssh` command to paste, which checks the host key without asking. The shell puts the home folder into the
    name of the key file.

    KnownHostsCommand is OpenSSH 8.5 and newer; it gives the one line that is right for this machine.
    """
    line = known_hosts_line(ip, port, public_host_key)
    words = ssh_words(
        "StrictHostKeyChecking=yes", "UserKnownHostsFile=/dev/null", f"KnownHostsCommand=/bin/echo {line}"
    )
    return f"{shlex.join(words)} -i {key_file} -p {port} {rest}{USER}@{ip}"
