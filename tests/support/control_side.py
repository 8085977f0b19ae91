"""The local cloud's side door, for tests: faults, the request log, forced states."""

from dataclasses import dataclass
from typing import Any

import requests


@dataclass(frozen=True)
class ControlSide:
    """A running local cloud, as a test changes and watches it behind the program's back."""

    url: str

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Any call below /_localcloud, which must agree."""
        answer = requests.request(method, f"{self.url}/_localcloud{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, operation: str, kind: str, times: int = 1, seconds: float | None = None) -> None:
        """Let the next calls of an operation go wrong; kinds that take time take `seconds`."""
        timing = {} if seconds is None else {"seconds": seconds}
        self.control("POST", "/faults", {"operation": operation, "kind": kind, "times": times, **timing})

    def requests(self) -> list[dict[str, Any]]:
        """What the cloud was asked since the log was emptied."""
        return list(self.control("GET", "/requests"))

    def calls(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(entry["operation"] == operation for entry in self.requests())

    def billing(self) -> list[str]:
        """Ids of the instances that cost money."""
        gone = {"terminated", "preempted"}
        return [i["id"] for i in self.control("GET", "/instances") if i["status"] not in gone]
