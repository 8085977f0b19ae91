"""An account as a test sees it: where it is, its secrets, and what happens to it behind the program's back."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from localcloud.account.records import GONE
from localcloud.errors import LocalCloudError
from localcloud.paths import CONTROL_PREFIX

SECONDS = 60.0
"""How long the control side may take; forcing a state may have to end a machine."""


@dataclass(frozen=True)
class LambdaCloud:
    """An account of a local cloud. Give `url` and `api_key` to the program under test."""

    url: str
    """Without a path: Lambda's API is below `/api/v1`, and the whole is what `HF_ENDPOINT` takes."""
    api_key: str = field(repr=False)
    hf_token: str = field(repr=False)
    """A Hugging Face token that has accepted every licence."""
    hf_token_without_access: str = field(repr=False)
    ssh_port: int
    """Where machines answer SSH, each on an address of its own."""

    def fault(self, operation: str, kind: str, **options: int | float) -> None:
        """Let a coming call of an operation go wrong, or several with `times`. Kinds: docs/local-cloud.md, "Control".

        Raises:
            LocalCloudError: there is no such operation or kind; the text has those there are.
        """
        self.control("POST", "/faults", {"operation": operation, "kind": kind, **options})

    def clear_faults(self) -> None:
        """Call off the faults that have not come yet."""
        self.control("DELETE", "/faults")

    def requests(self) -> list[dict[str, Any]]:
        """Every request to the API and the hub since the account was opened or the log emptied, oldest first."""
        return list(self.control("GET", "/requests"))

    def calls(self, operation: str) -> int:
        """How many of these requests asked for an operation, such as `launch`."""
        return sum(request["operation"] == operation for request in self.requests())

    def forget_requests(self) -> None:
        """Empty the log of requests."""
        self.control("DELETE", "/requests")

    def instances(self) -> list[dict[str, Any]]:
        """Every instance, also those that a fault hides from the API."""
        return list(self.control("GET", "/instances"))

    def billing(self) -> list[str]:
        """Ids of the instances that cost money now."""
        return [instance["id"] for instance in self.instances() if instance["status"] not in GONE]

    def force_status(self, instance_id: str, status: str) -> None:
        """Put an instance into a state; one without a machine takes its machine away."""
        self.control("PATCH", f"/instances/{instance_id}", {"status": status})

    def set_capacity(self, instance_type: str, *regions: str) -> None:
        """From now on the type is to be had in these regions only; in none when none is named."""
        self.control("PUT", "/capacity", {"instance_type": instance_type, "regions": list(regions)})

    def set_price(self, instance_type: str, cents_per_hour: int) -> None:
        """From now on the type costs this many US cents an hour, also where it runs already."""
        self.control("PUT", "/prices", {"instance_type": instance_type, "price_cents_per_hour": cents_per_hour})

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Any call of the control side; `path` is below `/_localcloud`.

        Raises:
            LocalCloudError: it was refused; the text says why.
        """
        address = urlsplit(self.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
        try:
            connection.request(method, CONTROL_PREFIX + path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        except OSError as error:
            raise LocalCloudError(f"the account at {self.url} is not open any more ({error})") from None
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise LocalCloudError(f"{method} {path}: {_reason(text)}")
        return json.loads(text)


def _reason(text: str) -> str:
    try:
        return str(json.loads(text)["error"])
    except (ValueError, LookupError, TypeError):
        return " ".join(text.split())
