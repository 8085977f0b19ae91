"""What may go wrong with SSH on purpose; the border between the machines and the faults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Drop:
    """When the connection of a session is lost: after some time, or after so many bytes of output."""

    seconds: float | None = None
    after_bytes: int | None = None


class OutputLimit:
    """How much output of a session goes out before something happens; as much as there is when nobody set it."""

    def __init__(self, size: int | None = None, at_end: Callable[[], None] = lambda: None) -> None:
        self._left = size
        self._at_end = at_end

    def cut(self, data: bytes) -> bytes:
        """So much of the output as there is room for."""
        if self._left is None:
            return data
        passed = data[: self._left]
        self._left -= len(passed)
        return passed

    def end_if_reached(self) -> None:
        """Called when output has gone out."""
        if self._left == 0:
            self._at_end()


class SshFaults(Protocol):
    """Asked at every connection and every command; being asked uses a fault up."""

    def refuse(self, instance_id: str) -> float | None:
        """Close the connection that was just made, and take none for so many seconds; None for a usual connection."""
        ...

    def drop(self, instance_id: str) -> Drop | None:
        """Lose the connection in the middle of the session that begins; None for a usual session."""
        ...


class NoSshFaults:
    """Nothing goes wrong."""

    def refuse(self, instance_id: str) -> float | None:
        """A usual connection."""
        return None

    def drop(self, instance_id: str) -> Drop | None:
        """A usual session."""
        return None
