"""Looks at an endpoint from this computer, for `EndpointCheck`."""

import secrets
import time
from typing import ClassVar

from components.dynamic.inputs import Inputs, Properties
from components.dynamic.provider import Created, DynamicProvider
from components.machine.ssh_tunnel import LOOPBACK, Login, Tunnel, TunnelError, open_tunnel
from components.vllm.endpoint_check.probe import (
    EndpointError,
    Expected,
    SilentError,
    accepts,
    probe,
    stays_open,
    takes_connection,
)
from components.vllm.scripts.trust import TELLING_S, offset

FROM_HERE = "from here"
THROUGH_THE_TUNNEL = "through the tunnel"

OPENING_S = 10.0
"""How long a port may take to open after the firewall's rules were changed. A guess."""
ATTEMPTS = 2
"""To log in; networks have hiccups."""


class EndpointCheckInputs(Inputs):
    """Where the endpoint is, and what has to be found there."""

    ip: str
    port: int
    model: str
    api_key: str
    ca_certificate: str = ""
    allowed_cidrs: tuple[str, ...] = ()
    ssh_port: int
    private_key: str
    public_host_key: str
    served: str


class EndpointCheckProvider(DynamicProvider[EndpointCheckInputs]):
    """Asks once, when it is made or something of it changes. An endpoint that is not right fails the update."""

    inputs: ClassVar[type[Inputs]] = EndpointCheckInputs
    updatable: ClassVar[frozenset[str]] = frozenset(EndpointCheckInputs.model_fields)
    secret_inputs: ClassVar[frozenset[str]] = frozenset({"api_key", "private_key"})
    hashed_inputs: ClassVar[frozenset[str]] = frozenset({"api_key", "private_key"})

    opening_s: ClassVar[float] = OPENING_S

    def clock(self) -> float:
        """The time that counts, in seconds since 1970."""
        return time.time()

    def create_resource(self, inputs: EndpointCheckInputs) -> Created:
        return Created(secrets.token_hex(8), self.update_resource("", inputs, {}))

    def update_resource(self, id_: str, inputs: EndpointCheckInputs, state: Properties) -> Properties:
        """Look, and say through which way the model was seen."""
        expected = Expected(inputs.model, inputs.api_key, inputs.ca_certificate)
        if accepts(inputs.ip, inputs.port, self.opening_s if inputs.allowed_cidrs else 0):
            try:
                self._look(inputs.ip, inputs.port, expected)
            except SilentError:
                # It may have been closed a moment ago, and the firewall only now have heard of it.
                if takes_connection(inputs.ip, inputs.port):
                    raise
            else:
                if not inputs.allowed_cidrs and stays_open(inputs.ip, inputs.port, self.opening_s):
                    print(
                        f"port {inputs.port} answers this computer though allowedCidrs is empty: look at the firewall "
                        "rules of the whole account, and whether rules count in this region"
                    )
                return {"reachable": FROM_HERE}
        with self._tunnel(inputs) as tunnel:
            self._look(LOOPBACK, tunnel.port, expected)
        if inputs.allowed_cidrs:
            print("the endpoint is closed to this computer, which is in none of allowedCidrs, and answers in a tunnel")
        return {"reachable": THROUGH_THE_TUNNEL}

    def _tunnel(self, inputs: EndpointCheckInputs) -> Tunnel:
        login = Login(inputs.ip, inputs.ssh_port, inputs.private_key, inputs.public_host_key)
        said = ""
        for _ in range(ATTEMPTS):
            try:
                return open_tunnel(login, inputs.port)
            except TunnelError as error:
                said = str(error)
        raise EndpointError(f"no SSH tunnel to {inputs.ip}: {said}; run `pulumi up` again")

    def _look(self, address: str, port: int, expected: Expected) -> None:
        ahead_s = probe(address, port, expected, self.clock)
        if abs(ahead_s) > TELLING_S:
            print(f"this computer's clock is {offset(ahead_s)} the machine's: set it")
