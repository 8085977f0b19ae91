"""Is the Pulumi engine that started this plugin still there?

When the CLI is killed, its plugin lives on as an orphan and finishes what it is doing, though nobody hears the answer
(seen with Pulumi 3.259). An orphan must not launch a machine after the user has left, and need not stay for ever.
"""

import atexit
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from components.dynamic.clock import SYSTEM_CLOCK, Clock
from components.dynamic.errors import ProviderError

_ADDRESS = re.compile(r"^(127\.0\.0\.1|localhost):(\d+)$")
CONNECT_TIMEOUT_S = 5.0
LOOK_EVERY_S = 5.0


class EngineGoneError(ProviderError):
    """The engine has ended; nothing more may be created for it."""


def require_engine(doing: str) -> None:
    """Raise `EngineGoneError` when the engine is gone; outside a plugin process there is none, and that is fine."""
    if engine_is_gone():
        raise EngineGoneError(f"Pulumi has ended, so this plugin stops before it would {doing}") from None


def engine_is_gone() -> bool:
    """True when there was an engine and nothing listens at its address any more."""
    address = engine_address(sys.argv)
    if address is None:
        return False
    try:
        socket.create_connection(address, CONNECT_TIMEOUT_S).close()
    except OSError:
        return True
    return False


def engine_address(arguments: list[str]) -> tuple[str, int] | None:
    """The engine's gRPC address, which is the plugin's one argument."""
    for argument in arguments[1:]:
        match = _ADDRESS.match(argument)
        if match:
            return match[1], int(match[2])
    return None


_at_work = 0
_lock = threading.Lock()
_is_watched = False


@contextmanager
def at_work() -> Iterator[None]:
    """Something is being done that has to come to its end, also when nobody will hear of it."""
    global _at_work
    with _lock:
        _at_work += 1
    try:
        yield
    finally:
        with _lock:
            _at_work -= 1


def leave_with_engine(clock: Clock = SYSTEM_CLOCK) -> None:
    """End this process soon after the engine has ended and nothing is at work any more, and without delay when the
    engine asks for it. Calling it again is fine."""
    global _is_watched
    with _lock:
        if _is_watched or engine_address(sys.argv) is None:
            return
        _is_watched = True
    threading.Thread(target=_watch, args=(clock,), daemon=True).start()
    atexit.register(_leave)


def _watch(clock: Clock) -> None:
    while _at_work or not engine_is_gone():
        clock.sleep(LOOK_EVERY_S)
    # The plugin's main thread waits for ever and cannot be told.
    _leave()


def _leave() -> None:
    """End without Python's taking itself apart, which takes a tenth of a second that the engine waits for. All threads
    that were at work have come to their end before what is registered with `atexit` is called."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
