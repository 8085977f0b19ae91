"""A GPU machine at Lambda that is ready for commands: keys, firewall, launch, wait."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pulumi

from components.dynamic.change_marker.resource import ChangeMarker
from components.lambda_cloud.boot_wait.resource import BootWait
from components.lambda_cloud.firewall.resource import FirewallRuleset, RuleArgs
from components.lambda_cloud.instance.resource import Instance, InstanceArgs
from components.lambda_cloud.ssh_key.resource import SshKey
from components.machine.host import BASE, SCRIPTS, SETTINGS, USER, Host
from components.machine.key_pair.resource import KeyPair
from components.machine.known_hosts import known_hosts_line
from components.machine.ssh_words import ssh_words

ANYWHERE = "0.0.0.0/0"
CLOUD_INIT_TIMEOUT_S = 600
CLOCKS_MAY_DIFFER_S = 300


@dataclass(frozen=True)
class GpuMachineArgs:
    """What a machine is made from."""

    name: str
    """Up to 48 characters; names in the account are this with an ending of the stack's own."""
    instance_types: pulumi.Input[list[str]]
    """Acceptable types in order of preference."""
    regions: Sequence[str]
    """Acceptable regions in order of preference."""
    image_family: str | None = "lambda-stack-24-04"
    image_id: str | None = None
    """Instead of the family."""
    open_port: int | None = None
    """TCP port to open to `allowed_cidrs`."""
    allowed_cidrs: Sequence[str] = ()
    """Who may reach the port; nobody by default."""
    ssh_port: int = 22
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
    key: KeyPair
    host_key: KeyPair
    ip: pulumi.Output[str]
    boot_seconds: pulumi.Output[int]

    def __init__(self, name: str, args: GpuMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lambdavllm:machine:GpuMachine", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.key = KeyPair(f"{name}-key", {"comment": args.name}, child)
        self.host_key = KeyPair(f"{name}-host-key", {"comment": f"{args.name}-host"}, child)
        ssh_key = SshKey(f"{name}-ssh-key", {"name_prefix": args.name, "public_key": self.key.public_key}, child)
        rulesets = self._rulesets(name, args)
        last = pulumi.ResourceOptions(parent=self, depends_on=list(args.launch_after))
        self.instance = Instance(f"{name}-instance", self._launch_args(args, ssh_key, rulesets), last)
        boot = BootWait(
            f"{name}-boot",
            {
                "machines": [{"instance_id": self.instance.id, "public_host_key": self.host_key.public_key}],
                "ssh_port": args.ssh_port,
                "timeout_seconds": args.boot_timeout_seconds,
            },
            child,
        )
        self.ip = boot.ips.apply(lambda ips: ips[0])
        self.boot_seconds = boot.seconds
        connection = Host(
            instance=self.instance,
            ready=boot,
            ip=self.ip,
            port=args.ssh_port,
            private_key=self.key.private_key,
            public_host_key=self.host_key.public_key,
        )
        booted_at = boot.until.apply(lambda at: f"{at or 0:.0f}\n")
        prepared = connection.run(f"{name}-prepare", prepare_command(), stdin=booted_at, opts=child)
        self.host = replace(connection, ready=prepared)
        self._place = pulumi.Output.all(self.ip, self.host_key.public_key)
        self._ssh_port = args.ssh_port
        self.known_hosts = self._place.apply(lambda known: known_hosts_line(known[0], args.ssh_port, known[1]))
        self.ssh = self._ssh_command()
        self.price_per_hour = self.instance.price_cents_per_hour.apply(lambda cents: cents / 100)
        # In the state from now on. A stack has no outputs before its first `up` has succeeded, and `python -m ops` is
        # to reach a machine on which something failed.
        self.register_outputs(
            {
                "ip": self.ip,
                "ssh": self.ssh,
                "ssh_private_key": self.key.private_key,
                "instance_id": self.instance.id,
                "instance_type": self.instance.instance_type,
                "price_per_hour": self.price_per_hour,
            }
        )

    def tunnel(self, port: int) -> pulumi.Output[str]:
        """An `ssh` command to paste that brings a port of the machine to this computer."""
        return self._ssh_command(f"-N -L {port}:localhost:{port} ")

    def _ssh_command(self, rest: str = "") -> pulumi.Output[str]:
        file = f"~/.ssh/lambda-vllm-{pulumi.get_stack()}"
        return self._place.apply(lambda known: ssh_command(known[0], self._ssh_port, known[1], file, rest))

    def _rulesets(self, name: str, args: GpuMachineArgs) -> dict[str, FirewallRuleset]:
        rules = firewall_rules(args.ssh_port, args.open_port, args.allowed_cidrs)
        own = pulumi.ResourceOptions(parent=self)
        # A port that was opened for a moment is not left open by an `up` that was killed in that moment.
        asked = ChangeMarker(f"{name}-firewall-asked", rules, own)
        return {
            region: FirewallRuleset(
                f"{name}-firewall-{region}",
                {"name_prefix": args.name, "region": region, "rules": rules, "asked": asked.turn},
                own,
            )
            for region in args.regions
        }

    def _launch_args(
        self,
        args: GpuMachineArgs,
        ssh_key: SshKey,
        rulesets: Mapping[str, FirewallRuleset],
    ) -> InstanceArgs:
        launch: InstanceArgs = {
            "instance_types": args.instance_types,
            "regions": list(args.regions),
            "name": args.name,
            "ssh_key_name": ssh_key.name,
            "user_data": pulumi.Output.all(self.host_key.private_key, self.host_key.public_key).apply(
                lambda pair: user_data(*pair)
            ),
            "firewall_rulesets": {region: ruleset.id for region, ruleset in rulesets.items()},
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


def firewall_rules(ssh_port: int, open_port: int | None, allowed_cidrs: Sequence[str]) -> list[RuleArgs]:
    """SSH from anywhere, since the one key is needed for it, and the port from the allowed networks."""
    rules: list[RuleArgs] = [
        {
            "protocol": "tcp",
            "port_range": [ssh_port, ssh_port],
            "source_network": ANYWHERE,
            "description": "SSH",
        }
    ]
    if open_port is not None:
        rules += [
            {
                "protocol": "tcp",
                "port_range": [open_port, open_port],
                "source_network": cidr,
                "description": "model server",
            }
            for cidr in allowed_cidrs
        ]
    return rules


def user_data(private_host_key: str, public_host_key: str) -> str:
    """cloud-init text that gives the machine our host key, and no other (module cc_ssh of cloud-init)."""
    settings = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": private_host_key, "ed25519_public": public_host_key},
    }
    # JSON is YAML, and it needs no care for line breaks in the key.
    return "#cloud-config\n" + json.dumps(settings, indent=1) + "\n"


def prepare_command() -> str:
    """Wait for the first boot to end, and make the folders that later commands write to.

    Its input is what the clock of the computer that runs Pulumi said a moment ago, in seconds since 1970. What is less
    than this machine's clock says may be a wait, so that only the other case is told.
    """
    told = "the clock of the computer that runs pulumi is %d h %02d min ahead of this machine's: set it"
    clocks = (
        f'read -r at || true; ahead=$((${{at:-0}} - $(date +%s))); [ "$ahead" -le {CLOCKS_MAY_DIFFER_S} ] || '
        f'printf "{told}\\n" $((ahead / 3600)) $((ahead % 3600 / 60))'
    )
    wait = f"(timeout {CLOUD_INIT_TIMEOUT_S} cloud-init status --wait >/dev/null 2>&1 || true)"
    return f"{clocks}; {wait} && mkdir -p {BASE}/jobs {SCRIPTS} && install -d -m 700 {SETTINGS}"


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
