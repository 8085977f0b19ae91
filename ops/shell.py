"""`ssh`: a shell on the machine, or one command there; also where the first `pulumi up` has failed."""

import subprocess

from ops.outputs import StackOutputs
from ops.ssh import login


def shell(outputs: StackOutputs, words: list[str]) -> int:
    """Log in, or run the words there as OpenSSH does, joined with spaces; the exit status is the remote one."""
    with login(outputs) as to, subprocess.Popen(to.command(" ".join(words)) if words else to.shell()) as ssh:
        try:
            status = ssh.wait()
        finally:
            # Not killed, as it has a terminal to put back.
            ssh.terminate()
    return status if status >= 0 else 128 - status
