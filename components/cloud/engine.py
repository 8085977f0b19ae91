"""Is the Pulumi engine that started this plugin still there?

When the CLI is killed, its plugin lives on as an orphan and finishes what it is doing, though nobody hears the answer
(seen with Pulumi 3.259). An orphan must not launch a machine after the user has left.
"""

import re
import socket
import sys

from components.cloud.errors import CloudError

_ADDRESS = re.compile(r"^(127\.0\.0\.1|localhost):(\d+)$")
CONNECT_TIMEOUT_S = 5.0


class EngineGoneError(CloudError):
    """The engine has ended; nothing more may be created for it."""


def require_engine(doing: str) -> None:
    """Raise `EngineGoneError` when the engine is gone; outside a plugin process there is none, and that is fine."""
    address = engine_address(sys.argv)
    if address is None:
        return
    try:
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError:
        raise EngineGoneError(f"Pulumi has ended, so this plugin stops before it would {doing}") from None


def engine_address(arguments: list[str]) -> tuple[str, int] | None:
    """The engine's gRPC address, which is the plugin's one argument."""
    for argument in arguments[1:]:
        match = _ADDRESS.match(argument)
        if match:
            return match[1], int(match[2])
    return None
