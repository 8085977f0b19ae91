"""A local cloud for tests: its own process, its own account, nothing left behind."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests

from tests.support.control_side import ControlSide
from tests.support.polling import until
from tests.support.pulumi_cli import REPOSITORY

TIME_SCALE = "0.007"

EMPTY_ACCOUNT = {"instances": 0, "ssh-keys": 0, "firewall-rulesets": 0}


@dataclass(frozen=True)
class LocalCloud(ControlSide):
    """A running local cloud with machines, in quick time and without rate limits."""

    api_key: str
    hf_token: str
    hf_token_without_access: str
    state: Path

    def forget_requests(self) -> None:
        """Empty the request log."""
        self.control("DELETE", "/requests")

    def writes(self) -> list[str]:
        """Operations that could change something, since the log was emptied."""
        return [r["operation"] for r in self.requests() if r["method"] not in ("GET", "HEAD")]

    def account(self) -> dict[str, int]:
        """How many of each thing the account has; what a destroyed stack leaves is all zero."""
        return {kind: len(self.ids(kind)) for kind in EMPTY_ACCOUNT}

    def ids(self, kind: str) -> set[str]:
        """Ids of the account's `instances` that bill, `ssh-keys`, `firewall-rulesets` or `file-systems`."""
        if kind == "instances":
            return set(self.billing())
        return {one["id"] for one in self.api("GET", f"/{kind}")}

    def firewall_sources(self) -> list[str]:
        """Networks that the account's rulesets let in, one for each rule."""
        return [
            rule["source_network"] for ruleset in self.api("GET", "/firewall-rulesets") for rule in ruleset["rules"]
        ]

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Data of a call below /api/v1, which must succeed."""
        answer = self._answer(method, path, body)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def _answer(self, method: str, path: str, body: object = None) -> requests.Response:
        """What a call is answered; a cloud with limits answers the test's own when it may."""
        headers = {"Authorization": f"Bearer {self.api_key}"}

        def answered() -> tuple[requests.Response] | None:
            answer = requests.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=60)
            # In something else, since an answer that is an error is false by itself.
            return None if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS else (answer,)

        (answer,) = until(answered, every=0.1)
        return answer

    def empty(self) -> None:
        """Take away whatever the account has."""
        self.control("DELETE", "/faults")
        until(self._has_nothing)

    def _has_nothing(self) -> bool:
        """Whether the account is empty; asks for the end of what it has.

        A refusal is no failure: a machine may be over by then, and its ruleset cannot go before it.
        """
        if instances := self.billing():
            self._answer("POST", "/instance-operations/terminate", {"instance_ids": instances})
        for kind in ("ssh-keys", "firewall-rulesets"):
            for one in self.ids(kind):
                self._answer("DELETE", f"/{kind}/{one}")
        return self.account() == EMPTY_ACCOUNT

    def home(self, instance_id: str) -> Path:
        """Home directory of the machine behind an instance."""
        return self.state / "machines" / instance_id / "home" / "ubuntu"


@contextmanager
def local_cloud(
    state: Path,
    machines: str = "process",
    time_scale: str = TIME_SCALE,
    rate_limit: str = "off",
    accelerator: str = "none",
    more_options: Sequence[str] = (),
) -> Iterator[LocalCloud]:
    """A local cloud on a free port; in the end every machine is destroyed."""
    options = ["--machines", machines, "--time-scale", time_scale, "--rate-limit", rate_limit]
    options += ["--accelerator", accelerator, *more_options]
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
