"""A local cloud for tests: its own process, its own account, nothing left behind."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.engine.pulumi_cli import REPOSITORY

TIME_SCALE = "0.02"


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud with machines, in quick time and without rate limits."""

    url: str
    api_key: str
    hf_token: str
    hf_token_without_access: str
    state: Path

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Change what the cloud does, or see what it was asked."""
        answer = requests.request(method, f"{self.url}/_localcloud{path}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, operation: str, kind: str, times: int = 1) -> None:
        """Let the next calls of an operation go wrong."""
        self.control("POST", "/faults", {"operation": operation, "kind": kind, "times": times})

    def forget_requests(self) -> None:
        """Empty the request log."""
        self.control("DELETE", "/requests")

    def requests(self) -> list[dict[str, Any]]:
        """What the cloud was asked since."""
        return list(self.control("GET", "/requests"))

    def writes(self) -> list[str]:
        """Operations that could change something, since the log was emptied."""
        return [r["operation"] for r in self.requests() if r["method"] not in ("GET", "HEAD")]

    def calls(self, operation: str) -> int:
        """How often an operation was asked for."""
        return sum(entry["operation"] == operation for entry in self.requests())

    def billing(self) -> list[str]:
        """Ids of the instances that cost money."""
        gone = {"terminated", "preempted"}
        return [i["id"] for i in self.control("GET", "/instances") if i["status"] not in gone]

    def account(self) -> dict[str, int]:
        """How many of each thing the account has; what a destroyed stack leaves is all zero."""
        counts = {"instances": len(self.billing())}
        headers = {"Authorization": f"Bearer {self.api_key}"}
        for kind in ("ssh-keys", "firewall-rulesets"):
            counts[kind] = len(requests.get(f"{self.url}/api/v1/{kind}", headers=headers, timeout=30).json()["data"])
        return counts

    def home(self, instance_id: str) -> Path:
        """Home directory of the machine behind an instance."""
        return self.state / "machines" / instance_id / "home" / "ubuntu"


@contextmanager
def local_cloud(state: Path) -> Iterator[LocalCloud]:
    """A local cloud on a free port; in the end every machine is destroyed."""
    options = ["--machines", "process", "--time-scale", TIME_SCALE, "--rate-limit", "off"]
    _localcloud("up", "--state", str(state), "--port", "0", *options)
    try:
        status = json.loads(_localcloud("status", "--state", str(state), "--json"))
        wanted = ("url", "api_key", "hf_token", "hf_token_without_access")
        yield LocalCloud(**{name: status[name] for name in wanted}, state=state)
    finally:
        _localcloud("down", "--state", str(state))


def _localcloud(*arguments: str) -> str:
    command = [sys.executable, "-m", "localcloud", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
