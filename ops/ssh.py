"""Commands on the machine: OpenSSH with the stack's own key, which lies on the disk only while it is used.

A shell there is at the user's own terminal, which no other client puts up and back as well; tunnels do without.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from components.machine.ssh_words import ssh_words
from ops.errors import OpsError
from ops.outputs import StackOutputs
from ops.private_folder import private_folder

CONNECT_S = 15
ALIVE = ("ServerAliveInterval=10", "ServerAliveCountMax=3")
"""A connection that was cut is noticed within half a minute."""
NO_CONNECTION = 255
"""OpenSSH's own exit status, as against the remote command's."""


@dataclass(frozen=True)
class Login:
    """How to log in; good while the key file is there."""

    words: tuple[str, ...]
    """The command up to USER@IP, the pinned host key included."""

    def command(self, remote: str, options: Sequence[str] = ()) -> list[str]:
        """The words that run a command on the machine; `options` are ssh's own."""
        return [*self._with(options), remote]

    def shell(self) -> list[str]:
        """The words that log in and give a terminal."""
        return self._with(())

    def _with(self, options: Sequence[str]) -> list[str]:
        # Also where the state has the command as an older version has printed it.
        sealed = ssh_words("BatchMode=yes", "LogLevel=ERROR", f"ConnectTimeout={CONNECT_S}", *ALIVE)
        return [*sealed, *options, *self.words[1:]]

    def run(self, remote: str, stdin: str = "", timeout: float = 60) -> str:
        """What a command on the machine prints; OpsError with its last line when it fails."""
        try:
            done = subprocess.run(
                self.command(remote),
                input=stdin,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OpsError(f"the machine did not answer over SSH within {timeout:.0f} s") from None
        if done.returncode != 0:
            raise failed(done.returncode, done.stderr)
        return done.stdout


def failed(status: int, said: str) -> OpsError:
    """An error for what `ssh` said on its way out."""
    if status == NO_CONNECTION:
        return no_way(said)
    return OpsError(f"the command on the machine failed ({status}): {_last_line(said)}")


def no_way(said: str) -> OpsError:
    """An error for a machine that cannot be got into, from OpenSSH's words for it."""
    why = _last_line(said)
    if "host key" in said.lower():
        why = "its host key is not the stack's: this is another machine; `pulumi refresh`, then `pulumi up`"
    return OpsError(f"no way to the machine over SSH: {why}")


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


@contextmanager
def login(outputs: StackOutputs) -> Iterator[Login]:
    """The key in a file of mode 0600, in a folder that is gone in the end."""
    with private_folder() as folder:
        file = folder / "key"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(outputs.ssh_private_key)
        yield Login(tuple(with_key(outputs.ssh, str(file))))


def with_key(words: Sequence[str], file: str) -> list[str]:
    """The `ssh` output's words with another key file than the one to be saved by hand."""
    changed = list(words)
    if "-i" in changed[:-1]:
        changed[changed.index("-i") + 1] = file
        return changed
    return [changed[0], "-i", file, *changed[1:]]
