"""`logs`: the model server's log, as it is on the machine."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import IO

from components.on_machine.shared.paths import Places
from ops.outputs import StackOutputs
from ops.ssh import NO_CONNECTION, failed, login

LOG = Places(Path()).log
"""From the home folder on."""
NO_LOG = 3
PIECE = 65536


def logs(outputs: StackOutputs, *, follow: bool, count: int, previous: bool) -> int:
    """Print the last `count` lines, and with `follow` what comes, until Ctrl+C; `previous` is the start before."""
    name = f"{LOG.name}.1" if previous else LOG.name
    command = remote(name, count, follow=follow)
    pipe = subprocess.PIPE
    with login(outputs) as to, subprocess.Popen(to.command(command), stdin=pipe, stdout=pipe) as ssh:
        try:
            copy(ssh.stdout)
            status = ssh.wait()
        except KeyboardInterrupt:
            return 0 if follow else 130
    if status == NO_CONNECTION:
        raise failed(status, "see the line above")
    return 1 if status else 0


def copy(output: IO[bytes] | None) -> None:
    """Pass on what comes, as it comes. Not left to OpenSSH, which goes on waiting when nobody reads any more.

    Raises:
        BrokenPipeError: nobody does.
    """
    while output and (piece := os.read(output.fileno(), PIECE)):
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def remote(name: str, count: int, *, follow: bool) -> str:
    """The command on the machine. One that follows ends with the connection: it would write nothing until the next
    line of the log, and so not notice."""
    file = shlex.quote(str(LOG.with_name(name)))
    there = f'[ -f {file} ] || {{ echo "ops: there is no {name} on the machine yet" >&2; exit {NO_LOG}; }}'
    if not follow:
        return f"cd && {there}; exec tail -n {count} {file}"
    return f"cd && {there}; tail -n {count} -F {file} 2>/dev/null & cat >/dev/null; kill $!"
