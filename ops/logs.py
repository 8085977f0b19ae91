"""`logs`: the model server's log, as it is on the machine."""

import shlex
import subprocess

from ops.outputs import StackOutputs
from ops.ssh import NO_CONNECTION, failed, login

FOLDER = ".local/share/lambda-vllm/logs"
NO_LOG = 3


def logs(outputs: StackOutputs, *, follow: bool, count: int, previous: bool) -> int:
    """Print the last `count` lines, and with `follow` what comes, until Ctrl+C; `previous` is the start before."""
    name = "vllm.log.1" if previous else "vllm.log"
    command = remote(name, count, follow=follow)
    with login(outputs) as to, subprocess.Popen(to.command(command), stdin=subprocess.PIPE) as ssh:
        try:
            status = ssh.wait()
        except KeyboardInterrupt:
            return 0 if follow else 130
    if status == NO_CONNECTION:
        raise failed(status, "see the line above")
    return 1 if status else 0


def remote(name: str, count: int, *, follow: bool) -> str:
    """The command on the machine. One that follows ends with the connection: it would write nothing until the next
    line of the log, and so not notice."""
    file = shlex.quote(f"{FOLDER}/{name}")
    there = f'[ -f {file} ] || {{ echo "ops: there is no {name} on the machine yet" >&2; exit {NO_LOG}; }}'
    if not follow:
        return f"cd && {there}; exec tail -n {count} {file}"
    return f"cd && {there}; tail -n {count} -F {file} 2>/dev/null & cat >/dev/null; kill $!"
