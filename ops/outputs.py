"""What a stack says of itself: its outputs, with the secret ones."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from components.machine.known_hosts import read_known_hosts_line
from ops.errors import OpsError

STACK = "pulumi:pulumi:Stack"
MACHINE = "lambdavllm:machine:GpuMachine"
NOT_YET = "run `pulumi up`, or wait for the one that runs"


@dataclass(frozen=True)
class StackOutputs:
    """The outputs that the commands use; secrets are never shown by `repr`."""

    values: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"StackOutputs({', '.join(sorted(self.values))})"

    @property
    def endpoint(self) -> str:
        """Base URL for OpenAI's clients, ends in /v1."""
        return self._text("endpoint", "the model is not served yet")

    @property
    def api_key(self) -> str:
        """Key of the endpoint."""
        return self._text("api_key", "the model is not served yet")

    @property
    def model(self) -> str:
        """The name under which the model is served."""
        return self._text("model", "the model is not served yet")

    @property
    def ca_certificate(self) -> str | None:
        """PEM of the only authority to trust for the endpoint; None where it is plain HTTP."""
        return self.values.get("ca_certificate") or None

    @property
    def ssh_private_key(self) -> str:
        """The key to log in to the machine with, as OpenSSH's PEM."""
        key = self._text("ssh_private_key", "there is no machine yet")
        return key if key.endswith("\n") else f"{key}\n"

    @property
    def ssh(self) -> list[str]:
        """The words of the command that logs in."""
        return shlex.split(self._text("ssh", "there is no machine yet"))

    @property
    def known_host(self) -> tuple[str, int, str]:
        """Address, SSH port and public host key of the machine, from the command that logs in: it is there first."""
        marked = [word.split(" ", 1)[1] for word in self.ssh if word.startswith("KnownHostsCommand=")]
        if not marked:
            raise OpsError(f"the output ssh pins no host key: {NOT_YET}")
        return read_known_hosts_line(marked[0])

    @property
    def ip(self) -> str:
        """Address of the machine."""
        return self._text("ip", "there is no machine yet")

    @property
    def price_per_hour(self) -> float | None:
        """Dollars."""
        price = self.values.get("price_per_hour")
        return float(price) if isinstance(price, int | float) else None

    @property
    def instance_type(self) -> str | None:
        """Such as gpu_1x_gh200."""
        return self.values.get("instance_type")

    @property
    def port(self) -> int:
        """TCP port of the endpoint, on the machine and outside."""
        split = urlsplit(self.endpoint)
        return split.port or (443 if split.scheme == "https" else 80)

    @property
    def scheme(self) -> str:
        """`https`, or `http` with `tls: off`."""
        return urlsplit(self.endpoint).scheme

    @property
    def host(self) -> str:
        """Address in the endpoint's URL."""
        return urlsplit(self.endpoint).hostname or ""

    def _text(self, name: str, missing: str) -> str:
        value = self.values.get(name)
        if not isinstance(value, str) or not value:
            raise OpsError(f"the stack has no output {name}: {missing}; {NOT_YET}")
        return value


def read_outputs(state: str) -> StackOutputs:
    """Outputs of the stack and of its machine, in a state as `pulumi stack export --show-secrets` prints it.

    Pulumi writes a stack's outputs when an `up` has succeeded, and a component's as soon as they are known. So those of
    the machine are there also where all that came after it failed, and they win: it may be a new one.

    Raises:
        OpsError: there is neither.
    """
    resources = (json.loads(state).get("deployment") or {}).get("resources") or ()
    of_type = {resource["type"]: _plain(resource.get("outputs") or {}) for resource in resources}
    machine = of_type.get(MACHINE, {})
    values = of_type.get(STACK, {}) | machine
    if "ip" in machine and urlsplit(values.get("endpoint", "")).hostname != machine["ip"]:
        # That of a machine which is gone: its address may be somebody else's by now.
        values.pop("endpoint", None)
    if not values:
        raise OpsError(f"the stack has no outputs yet: {NOT_YET}")
    return StackOutputs(values)


def _plain(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Secrets as they are; the state has them as objects with their JSON text."""
    return {
        name: json.loads(value["plaintext"]) if isinstance(value, Mapping) and "plaintext" in value else value
        for name, value in outputs.items()
    }
