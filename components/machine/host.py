"""Running commands on a machine: connection, order and ownership are bound once, here.

What holds for every command (pulumi-command 1.2.1):

* The command text is one short line that calls a script, since a failure prints the whole text and all output.
* Secrets travel by standard input, never in the text, and no variables are set over SSH: Ubuntu's sshd refuses them.
* `triggers` hold the instance's id, so that a new machine gets everything again, and the hash of what is run.
* `deleted_with` the instance: nothing is undone on a machine that ends anyway.
"""

import hashlib
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi_command import remote

from components.dynamic.change_marker.resource import ChangeMarker

BASE = ".local/share/lambda-vllm"
"""Programs, logs and jobs, relative to the home directory."""

SETTINGS = ".config/lambda-vllm"
"""Settings and secrets, relative to the home directory; mode 0700."""

SCRIPTS = f"{BASE}/scripts"

USER = "ubuntu"

END = "--end-of-file--"
"""After the last line of a secret file on its way."""

DIAL_ATTEMPTS = 30
"""About two minutes when the port refuses, for the moments in which sshd is replaced by one with our host key."""


@dataclass(frozen=True)
class Host:
    """A machine that answers SSH as `ubuntu` with a host key that is known beforehand."""

    instance: pulumi.CustomResource
    ready: pulumi.Resource
    """What every command waits for."""
    ip: pulumi.Output[str]
    port: int
    private_key: pulumi.Output[str]
    public_host_key: pulumi.Output[str]

    def put(self, name: str, source: Path, opts: pulumi.ResourceOptions | None = None) -> remote.CopyToRemote:
        """Copy a file into the script folder of the machine, under its own name."""
        return remote.CopyToRemote(
            name,
            connection=self._connection(),
            source=pulumi.FileAsset(str(source)),
            remote_path=f"{SCRIPTS}/{source.name}",
            triggers=[self.instance.id, content_hash(source)],
            opts=self._options(opts),
        )

    def put_secret(
        self, name: str, file_name: str, content: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> remote.Command:
        """Write a file that only the user can read into the settings folder; no state or log shows its content.

        It is written again after an `up` that was killed while it wrote, whatever the next one is given.
        """
        secret = pulumi.Output.secret(content)
        parent = opts.parent if opts else None
        asked = ChangeMarker(f"{name}-asked", secret, pulumi.ResourceOptions(parent=parent))
        return self.run(
            name,
            write_command(file_name),
            stdin=secret.apply(with_end),
            triggers=[pulumi.Output.unsecret(asked.turn)],
            opts=opts,
        )

    def run(
        self,
        name: str,
        command: pulumi.Input[str],
        *,
        triggers: Sequence[pulumi.Input[str]] = (),
        stdin: pulumi.Input[str] | None = None,
        dial_attempts: int = DIAL_ATTEMPTS,
        opts: pulumi.ResourceOptions | None = None,
    ) -> remote.Command:
        """Run a command; again when the machine, the text, the input or a trigger changes.

        The command must be convergent: it is repeated after a failure.
        """
        return remote.Command(
            name,
            connection=self._connection(dial_attempts),
            create=command,
            stdin=stdin,
            triggers=[self.instance.id, *triggers],
            add_previous_output_in_env=False,
            opts=self._options(opts),
        )

    def _connection(self, dial_attempts: int = DIAL_ATTEMPTS) -> remote.ConnectionArgs:
        return remote.ConnectionArgs(
            host=self.ip,
            port=self.port,
            user=USER,
            private_key=self.private_key,
            host_key=self.public_host_key,
            dial_error_limit=dial_attempts,
        )

    def _options(self, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
        own = pulumi.ResourceOptions(depends_on=[self.ready], deleted_with=self.instance)
        return pulumi.ResourceOptions.merge(own, opts)


def write_command(file_name: str) -> str:
    """Command that writes its input, a text `with_end`, to a private file of the settings folder, whole or not at all.

    A connection that is lost looks to the machine like the end of the input.
    """
    file = shlex.quote(f"{SETTINGS}/{file_name}")
    cut_off = "the connection ended before all of the file had come: run `pulumi up` again"
    return (
        f"umask 077 && mkdir -p {SETTINGS} && cat > {file}.new && "
        f"if [ \"$(tail -n 1 {file}.new)\" != {END} ]; then echo '{cut_off}' >&2; exit 1; fi && "
        f"sed -i '$d' {file}.new && mv {file}.new {file}"
    )


def with_end(content: str) -> str:
    """A text as lines, and after them one by which it is known to be whole."""
    lines = content.removesuffix("\n") + "\n" if content else ""
    return f"{lines}{END}\n"


def check_agent(environment: Mapping[str, str]) -> str | None:
    """What is wrong with the SSH agent that the environment names, None when nothing is.

    The command plugin dials it before anything else, and fails every command when nothing answers there.
    """
    address = environment.get("SSH_AUTH_SOCK")
    if not address:
        return None
    with socket.socket(socket.AF_UNIX) as agent:
        try:
            agent.connect(address)
        except OSError:
            return f"SSH_AUTH_SOCK names {address}, where no SSH agent answers: run `unset SSH_AUTH_SOCK`"
    return None


def content_hash(*files: Path, more: Sequence[str] = ()) -> str:
    """Hash of files and words, short enough for a file name."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    for word in more:
        digest.update(b"\0" + word.encode())
    return digest.hexdigest()[:16]
