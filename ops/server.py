"""The model server, as it is reached from here: directly, or through a tunnel where the firewall is closed."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from components.machine.ssh_tunnel import LOOPBACK
from components.vllm.endpoint_check.probe import takes_connection
from components.vllm.scripts.trust import date_of, distrust_of
from ops.errors import OpsError
from ops.forward import open_forward, tunnel_login
from ops.outputs import StackOutputs
from ops.private_folder import private_folder
from ops.refusal import message_of
from ops.say import say

KNOCK_S = 3.0
"""A machine that can be reached takes a connection in less than half a second from anywhere."""
TIMEOUT_S = 30.0
ANSWER_S = 600.0
"""The longest silence in an answer: a long prompt on a busy server."""


class ServerError(OpsError):
    """The server's own refusal, in one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"the server answered {status}: {message}")
        self.status = status
        self.message = message


class Server:
    """The endpoint with its key and its CA.

    Nothing of the environment is used for it: neither a proxy nor another bundle of CAs nor a .netrc.
    """

    def __init__(self, base_url: str, api_key: str, ca_file: Path | None) -> None:
        self.base_url = base_url
        self.clock: float | None = None
        """The server's, at its last answer: seconds since 1970, None before that or when it does not say."""
        self._ca_file = ca_file
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {api_key}"
        self._session.verify = str(ca_file) if ca_file else True

    def metrics(self) -> str:
        """What Prometheus would read."""
        return self._ask("GET", f"{self.base_url.removesuffix('/v1')}/metrics", None, TIMEOUT_S, stream=False).text

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of an answer, one by one as they come. Leaving the loop ends the request on the server too.

        Raises:
            ServerError: it refused, or an error came in the middle.
        """
        answer = self._ask("POST", f"{self.base_url}{path}", {**body, "stream": True}, ANSWER_S, stream=True)
        with answer:
            try:
                for line in answer.iter_lines(decode_unicode=False):
                    data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                    if data == b"[DONE]":
                        return
                    if data:
                        yield checked(json.loads(data))
            except ValueError:
                raise ServerError(500, "the answer is not what an OpenAI-compatible server streams") from None
            except requests.RequestException as error:
                raise cannot_reach(self.base_url, error, self._ca_file) from None

    def _ask(
        self, method: str, url: str, body: dict[str, Any] | None, timeout: float, *, stream: bool
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method, url, json=body, timeout=(TIMEOUT_S, timeout), stream=stream, allow_redirects=False
            )
            if answer.status_code != requests.codes.ok:
                with answer:
                    raise ServerError(answer.status_code, message_of(answer.text))
        except requests.RequestException as error:
            raise cannot_reach(self.base_url, error, self._ca_file) from None
        self.clock = date_of(answer.headers.get("Date"))
        return answer


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """The event, unless it is an error that came after the first token."""
    if "error" in event:
        error = event["error"]
        code = error.get("code") if isinstance(error, dict) else None
        raise ServerError(code if isinstance(code, int) else 500, message_of(json.dumps(event)))
    return event


def cannot_reach(url: str, error: requests.RequestException, ca_file: Path | None = None) -> OpsError:
    """One line for what went wrong below HTTP."""
    # A tunnel to a port where nothing listens breaks off in the middle of the handshake.
    if isinstance(error, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return OpsError(untrusted(url, ca_file))
    if isinstance(error, requests.Timeout):
        return OpsError(f"{url} did not answer in time: `python -m ops logs` shows what it does")
    return OpsError(f"{url} broke the connection off: `python -m ops logs` shows why")


def untrusted(url: str, ca_file: Path | None) -> str:
    """Why the server's certificate is refused, in one line."""
    at = urlsplit(url)
    host, port = at.hostname or "", at.port or 443
    found = distrust_of(host, port, ca_file.read_text(), host, KNOCK_S) if ca_file else None
    if found is None:
        return f"the certificate at {url} is not one of this stack's own CA: `pulumi up`, then try again"
    return f"{url} shows {found.why('this computer', host)}"


@contextmanager
def reach(outputs: StackOutputs) -> Iterator[Server]:
    """The server of a stack, through a tunnel when its port takes no connection from here, which is said in a line.

    Raises:
        OpsError: nothing is served yet, or neither way leads to it.
    """
    with ExitStack() as open_until_the_end:
        base_url = outputs.endpoint
        if not takes_connection(outputs.host, outputs.port, KNOCK_S):
            to = tunnel_login(outputs)
            say(f"{outputs.host}:{outputs.port} cannot be reached from here: going through an SSH tunnel")
            tunnel = open_until_the_end.enter_context(open_forward(to, outputs.port))
            base_url = f"{outputs.scheme}://{LOOPBACK}:{tunnel.port}/v1"
        yield Server(base_url, outputs.api_key, _ca_file(outputs, open_until_the_end))


def _ca_file(outputs: StackOutputs, open_until_the_end: ExitStack) -> Path | None:
    """The CA where `requests` can read it: a certificate is public, so that any file will do."""
    if not outputs.ca_certificate:
        return None
    file = open_until_the_end.enter_context(private_folder()) / "ca.pem"
    file.write_text(outputs.ca_certificate)
    return file
