"""Client of the Lambda Cloud API 1.10.0: one method an endpoint, typed answers, errors that say what to do.

What is asked again, and what never, stands in `transport`.
"""

import random
import threading
from collections.abc import Callable
from typing import Any

from components.dynamic.clock import Clock
from components.lambda_cloud.api.account_folder import DEFAULT_URL, account_folder
from components.lambda_cloud.api.errors import NotConfiguredError
from components.lambda_cloud.api.launch_journal import LaunchJournal
from components.lambda_cloud.api.limits import Limits, RateLimiter, SharedSchedule
from components.lambda_cloud.api.models import (
    Filesystem,
    FirewallRule,
    FirewallRuleset,
    GlobalRules,
    Image,
    Instance,
    LaunchAnswer,
    LaunchRequest,
    Offer,
    Region,
    SshKey,
)
from components.lambda_cloud.api.shared_list import SharedList
from components.lambda_cloud.api.transport import Transport

RECENT_IN_POLLS = 2.0


class LambdaClient:
    """One account of Lambda Cloud.

    `url` is the root without `/api/v1`. All clients of an account on this computer keep to one schedule unless given a
    limiter of their own, because the limit is the account's; the limiter's clock is the client's. `journal` remembers
    launches that are under way.

    Lists take `since`, a moment of `clock.monotonic`: an answer to a request made then or later will do, whoever made
    it. Without it the list is asked for now.
    """

    def __init__(
        self,
        api_key: str,
        url: str = DEFAULT_URL,
        limiter: RateLimiter | None = None,
        journal: LaunchJournal | None = None,
    ) -> None:
        if not api_key:
            raise NotConfiguredError(
                "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`"
            )
        folder = None if limiter and journal else account_folder(api_key, url)
        schedule = SharedSchedule(folder / "schedule.json") if folder else None
        self._limiter = limiter or RateLimiter(Limits.from_environment(), schedule=schedule)
        self.journal = journal or LaunchJournal(folder / "launches" if folder else None, self.clock)
        self._transport = Transport(api_key, url, self._limiter)
        read, clock = self._transport.read, self.clock
        self._instances = SharedList(lambda: read("/instances", list[Instance], "list instances"), clock)
        self._offers = SharedList(lambda: read("/instance-types", dict[str, Offer], "list instance types"), clock)
        self._images = SharedList(lambda: read("/images", list[Image], "list images"), clock)
        self._ssh_keys = SharedList(lambda: read("/ssh-keys", list[SshKey], "list SSH keys"), clock)
        self._rulesets = SharedList(
            lambda: read("/firewall-rulesets", list[FirewallRuleset], "list firewall rulesets"), clock
        )
        self._filesystems = SharedList(lambda: read("/file-systems", list[Filesystem], "list filesystems"), clock)

    @property
    def clock(self) -> Clock:
        """The clock by which it waits, and by which its answers have an age."""
        return self._limiter.clock

    @property
    def limits(self) -> Limits:
        """The pace at which this account may be asked, and by which patience is counted."""
        return self._limiter.limits

    @property
    def clock_ahead_s(self) -> float:
        """By how many seconds this computer's clock is ahead of Lambda's, below 0 when it is behind; 0 when that is not
        known, as before the first answer."""
        return self._transport.clock_ahead_s

    def pause(self) -> None:
        """Wait before the next look at something that changes by itself, with a share of chance in it."""
        self.clock.sleep(self.limits.poll_interval * random.uniform(0.9, 1.1))  # noqa: S311 - not a secret

    def recently(self) -> float:
        """As `since`: what was asked for a few seconds ago is new enough, as for a refresh of many objects."""
        return self.clock.monotonic() - RECENT_IN_POLLS * self.limits.poll_interval

    # Instances

    def instances(self, since: float | None = None) -> list[Instance]:
        """All instances of the account, those that ended a short while ago included."""
        return self._instances.get(since)

    def instance(self, instance_id: str, since: float | None = None) -> Instance | None:
        """One instance out of the list, None when the list does not have it.

        The list is asked, not the instance: one request serves all that look at the same time.
        """
        return next((one for one in self.instances(since) if one.id == instance_id), None)

    def launch(self, request: LaunchRequest, before_sending: Callable[[], None] = lambda: None) -> str:
        """Start one machine and give its id. Billing starts with its first passed health check.

        `before_sending` is called when all waiting is over, right before the request leaves; it may raise to stop it.
        A 429 is not asked again here, since time passes by that: the caller decides anew.
        """

        def wait() -> None:
            self._limiter.wait_for_launch()
            before_sending()

        what = f"launch {request.instance_type_name} in {request.region_name}"
        body = request.model_dump(exclude_none=True)
        path = "/instance-operations/launch"
        timeout = self.limits.launch_timeout
        return self._transport.ask("POST", path, LaunchAnswer, what, body, timeout, wait).instance_ids[0]

    def rename(self, instance_id: str, name: str) -> Instance:
        """Give an instance another name; names need not be unique."""
        return self._transport.write(
            "POST", f"/instances/{instance_id}", Instance, f"rename instance {instance_id}", {"name": name}
        )

    def terminate(self, instance_id: str) -> None:
        """Ask for the end of a machine; it is over only when its status says `terminated` or it is gone."""
        body = {"instance_ids": [instance_id]}
        self._transport.write(
            "POST", "/instance-operations/terminate", dict[str, Any], f"terminate instance {instance_id}", body
        )

    # What there is to launch

    def offers(self, since: float | None = None) -> dict[str, Offer]:
        """Instance types by name, each with price and the regions that have capacity now."""
        return self._offers.get(since)

    def regions(self) -> list[Region]:
        """All regions."""
        return self._transport.read("/regions", list[Region], "list regions")

    def images(self, since: float | None = None) -> list[Image]:
        """All images, one row for each region that has it."""
        return self._images.get(since)

    # SSH keys

    def ssh_keys(self, since: float | None = None) -> list[SshKey]:
        """All registered keys; there is no way to read a single one."""
        return self._ssh_keys.get(since)

    def add_ssh_key(self, name: str, public_key: str) -> SshKey:
        """Register a public key under a name that no other key has."""
        return self._transport.write(
            "POST", "/ssh-keys", SshKey, f"add SSH key {name}", {"name": name, "public_key": public_key}
        )

    def delete_ssh_key(self, key_id: str) -> None:
        """Remove a key; `InUseError` while an instance was launched with it."""
        with self._ssh_keys.shrinks():
            self._transport.write("DELETE", f"/ssh-keys/{key_id}", dict[str, Any], f"delete SSH key {key_id}")

    # Firewall

    def rulesets(self, since: float | None = None) -> list[FirewallRuleset]:
        """All rulesets of all regions."""
        return self._rulesets.get(since)

    def add_ruleset(self, name: str, region: str, rules: list[FirewallRule]) -> FirewallRuleset:
        """Create a ruleset in one region."""
        body = {"name": name, "region": region, "rules": [_rule_body(rule) for rule in rules]}
        return self._transport.write(
            "POST", "/firewall-rulesets", FirewallRuleset, f"create firewall ruleset {name}", body
        )

    def change_ruleset(self, ruleset_id: str, name: str, rules: list[FirewallRule]) -> FirewallRuleset:
        """Rename a ruleset and replace its rules; machines that have it follow at once."""
        body = {"name": name, "rules": [_rule_body(rule) for rule in rules]}
        what = f"change firewall ruleset {name}"
        return self._transport.write("PATCH", f"/firewall-rulesets/{ruleset_id}", FirewallRuleset, what, body)

    def delete_ruleset(self, ruleset_id: str) -> None:
        """Remove a ruleset; `InUseError` while an instance has it."""
        what = f"delete firewall ruleset {ruleset_id}"
        with self._rulesets.shrinks():
            self._transport.write("DELETE", f"/firewall-rulesets/{ruleset_id}", dict[str, Any], what)

    def global_rules(self) -> list[FirewallRule]:
        """The rules that hold for every instance in every region."""
        path = "/firewall-rulesets/global"
        return self._transport.read(path, GlobalRules, "read the global firewall rules").rules

    def replace_global_rules(self, rules: list[FirewallRule]) -> list[FirewallRule]:
        """Replace them all; the account's other users are behind the same rules."""
        body = {"rules": [_rule_body(rule) for rule in rules]}
        what = "change the global firewall rules"
        return self._transport.write("PATCH", "/firewall-rulesets/global", GlobalRules, what, body).rules

    # Filesystems: the list has a hyphen in its path, all else has none

    def filesystems(self, since: float | None = None) -> list[Filesystem]:
        """All filesystems of all regions."""
        return self._filesystems.get(since)

    def add_filesystem(self, name: str, region: str) -> Filesystem:
        """Create a filesystem; it costs by what is stored in it."""
        body = {"name": name, "region": region}
        return self._transport.write("POST", "/filesystems", Filesystem, f"create filesystem {name}", body)

    def delete_filesystem(self, filesystem_id: str) -> None:
        """Delete a filesystem and all that is in it; `InUseError` while an instance has it."""
        what = f"delete filesystem {filesystem_id}"
        with self._filesystems.shrinks():
            self._transport.write("DELETE", f"/filesystems/{filesystem_id}", dict[str, Any], what)


_clients: dict[tuple[str, str], LambdaClient] = {}
_clients_lock = threading.Lock()


def shared_client(api_key: str, url: str) -> LambdaClient:
    """The one client of an account in this process, so that all resources share its lists."""
    # Locked, as the first resources ask at the same time.
    with _clients_lock:
        if (api_key, url) not in _clients:
            _clients[api_key, url] = LambdaClient(api_key, url)
        return _clients[api_key, url]


def _rule_body(rule: FirewallRule) -> dict[str, Any]:
    return rule.model_dump(exclude_none=True)
