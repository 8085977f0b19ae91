"""`tunnel`: the endpoint on this computer, for as long as the command runs."""

import hashlib
import os
import shlex
from pathlib import Path

from components.machine.ssh_tunnel import LOOPBACK, Login, Tunnel
from components.vllm.scripts.trust import distrust_of
from ops.errors import OpsError
from ops.forward import free_port, open_forward, pause_before_retry, tunnel_login
from ops.outputs import StackOutputs
from ops.private_folder import private_folder
from ops.say import say
from ops.server import KNOCK_S


def tunnel(outputs: StackOutputs, port: int | None) -> int:
    """Hold it open until Ctrl+C; one that is cut is opened again at the same port.

    Raises:
        OpsError: it could not be opened the first time, or `port` is taken.
    """
    to = tunnel_login(outputs)
    with private_folder() as folder:
        local_port = port or free_port(outputs.port)
        forward = open_forward(to, outputs.port, local_port)
        try:
            if not port and local_port != outputs.port:
                say(f"port {outputs.port} of this computer is taken: using {local_port}")
            print("\n".join(to_paste(outputs, local_port, folder)), flush=True)
            tell_of_distrust(outputs, local_port)
            say("the tunnel is open until Ctrl+C")
            while True:
                forward.wait()
                say("the tunnel was cut: connecting again")
                forward = reopened(to, outputs.port, local_port)
                say("the tunnel is open again")
        except KeyboardInterrupt:
            say("the tunnel is closed")
            return 0
        finally:
            forward.close()


def tell_of_distrust(outputs: StackOutputs, port: int) -> None:
    """A line when no client that comes through the tunnel will trust the server."""
    if outputs.ca_certificate and (found := distrust_of(LOOPBACK, port, outputs.ca_certificate, LOOPBACK, KNOCK_S)):
        say(f"the server shows {found.why('this computer', LOOPBACK)}")


def reopened(to: Login, remote_port: int, local_port: int) -> Tunnel:
    """Tried until it works; each new reason why not is said once."""
    tries, last = 0, ""
    while True:
        try:
            return open_forward(to, remote_port, local_port)
        except OpsError as error:
            if str(error) != last:
                last = str(error)
                say(f"{last}; trying on")
            pause_before_retry(tries)
            tries += 1


def to_paste(outputs: StackOutputs, port: int, folder: Path) -> list[str]:
    """Lines for a shell in which OpenAI's client is used; `folder` lasts as long as the tunnel."""
    variables = {
        "OPENAI_BASE_URL": f"{outputs.scheme}://{LOOPBACK}:{port}/v1",
        "OPENAI_API_KEY": outputs.api_key,
    }
    if outputs.ca_certificate:
        variables["SSL_CERT_FILE"] = str(kept_certificate(outputs.ca_certificate, folder))
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def kept_certificate(pem: str, folder: Path) -> Path:
    """The CA in the user's cache, where it outlives the tunnel: a shell may name it longer than that.

    Where nothing can be written there, in `folder`.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lambda-vllm"
        cache.mkdir(parents=True, exist_ok=True)
        file = cache / f"ca-{hashlib.sha256(pem.encode()).hexdigest()[:12]}.pem"
        file.write_text(pem)
    except (OSError, RuntimeError) as error:
        # RuntimeError: a user without a home.
        file = folder / "ca.pem"
        file.write_text(pem)
        say(f"the CA is there only while the tunnel is open, as the cache cannot be written: {error}")
    return file
