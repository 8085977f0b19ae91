"""Running commands on a machine: connection, order and ownership are bound once, here.

What holds for every command (pulumi-command 1.2.1):

* The command text is one short line that calls a program, since a failure prints the whole text and all output.
* Secrets travel by standard input, never in the text, and no variables are set over SSH: Ubuntu's sshd refuses them.
* `triggers` hold the instance's id, so that a new machine gets everything again, and the hash of what is run.
* `deleted_with` the instance: nothing is undone on a machine that ends anyway.
"""

import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_command import remote

from components.machine.bundle import Bundle
from components.on_machine.shared.paths import RELEASES

USER = "ubuntu"

ARCHIVE = "lambda-vllm.tar"
"""In the home folder: there is no other one yet."""

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
    parent: pulumi.Resource | None = None
    """What all of it belongs to."""

    def put(self, name: str, bundle: Bundle) -> remote.CopyToRemote:
        """Send programs as one archive; `unpack_command` makes a release of it."""
        return remote.CopyToRemote(
            name,
            connection=self._connection(),
            source=pulumi.FileAsset(str(bundle.write())),
            remote_path=ARCHIVE,
            triggers=[self.instance.id, bundle.hash],
            opts=self._options(()),
        )

    def run(
        self,
        name: str,
        command: pulumi.Input[str],
        *,
        after: Sequence[pulumi.Resource] = (),
        triggers: Sequence[pulumi.Input[str]] = (),
        stdin: pulumi.Input[str] | None = None,
        is_job: bool = False,
        dial_attempts: int = DIAL_ATTEMPTS,
    ) -> remote.Command:
        """Run a command; again when the machine, the text, the input or a trigger changes.

        The command must be convergent: it is repeated after a failure. The standard output of a job is for the program
        alone, and not shown.
        """
        return remote.Command(
            name,
            connection=self._connection(dial_attempts),
            create=command,
            stdin=stdin,
            triggers=[self.instance.id, *triggers],
            add_previous_output_in_env=False,
            logging=remote.Logging.STDERR if is_job else remote.Logging.STDOUT_AND_STDERR,
            opts=self._options(after),
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

    def _options(self, after: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self.parent, depends_on=[self.ready, *after], deleted_with=self.instance)


def unpack_command(bundle: Bundle) -> str:
    """Command that makes a release of the archive that was sent, whole or not at all, and begins to use it."""
    name, new = bundle.hash, f".new-{bundle.hash}"
    folder = shlex.quote(RELEASES)
    return (
        f"mkdir -p {folder} && cd {folder} && rm -rf {new} && mkdir {new} && tar -xf ~/{ARCHIVE} -C {new} && "
        f"{{ [ -d {name} ] || mv -T {new} {name}; }} && rm -rf {new} && cd {name} && "
        f"python3 -m components.on_machine.shared.release {name}"
    )


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
