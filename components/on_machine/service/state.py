"""What the service does at the moment, for who follows it: `~/.local/share/lambda-vllm/service.json`."""

import fcntl
import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from components.on_machine.shared.clock import boot_id, now
from components.on_machine.shared.files import replace_file
from components.on_machine.shared.locks import is_locked
from components.on_machine.shared.paths import Places


@dataclass(frozen=True)
class State:
    """Of the service, or of what was left of it when it ended."""

    doing: str
    """`starting`, `serving`, `waiting` (for the next try), `stopped` or `failed`."""
    key: str = ""
    why: str = ""
    stage: str = ""
    since: float = 0.0
    """When that start began, by the clock that `now` reads."""
    offloaded_gib: float = 0.0
    """How much of the weights is in the machine's memory, by vLLM's log."""
    trouble: str = ""
    """Why the last start ended, while it waits for the next or has ended itself; while it starts, why clients do not
    trust the server."""


class ServiceState:
    """The file, written by the service; a lock that it holds tells whether it lives."""

    def __init__(self, places: Places) -> None:
        self._file = places.service_state
        self._lock = places.base / "service.lock"
        self._down = places.base / "down-since"

    def hold(self) -> None:
        """Be the service of this machine, until the process ends; wait until an earlier one has ended."""
        self._stream = self._lock.open("w")
        fcntl.flock(self._stream, fcntl.LOCK_EX)

    @property
    def is_alive(self) -> bool:
        """True while the service runs."""
        return is_locked(self._lock)

    def write(self, state: State) -> None:
        """Nothing is lost when it cannot be written: the marks of the generations decide."""
        with suppress(OSError):
            replace_file(self._file, json.dumps(asdict(state)))

    def read(self) -> State:
        try:
            return State(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return State("stopped")

    def is_serving(self, key: str) -> bool:
        state = self.read()
        return (state.doing, state.key) == ("serving", key) and self.is_alive

    def goes_down(self) -> None:
        """From now on no model is served. Kept over tries that fail: only a served model ends it."""
        with suppress(OSError):
            if not self._down.exists():
                self._down.write_text(f"{boot_id()} {now()}\n")

    def comes_up(self) -> float | None:
        """Seconds since no model was served; None when nobody knows, as after a reboot or before the first."""
        try:
            boot, since = self._down.read_text().split()
            self._down.unlink()
            return now() - float(since) if boot == boot_id() else None
        except (OSError, ValueError):
            return None
