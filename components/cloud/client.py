"""Client of the Lambda Cloud API 1.10.0: one method an endpoint, typed answers, errors that say what to do.

Retries. A read is asked again after 429, 5xx and lost connections, five times, with exponential back-off and jitter. A
write is asked again after 429 only, as the edge sends that before the API has seen the request; a launch not even then.
After any other trouble with a write `NoAnswerError` or `ServerFaultError` is raised, and the caller has to look before
it asks again.
"""

import random
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from pydantic import TypeAdapter, ValidationError

from components.cloud.errors import (
    TRANSIENT,
    CloudError,
    NoAnswerError,
    NotConfiguredError,
    NotFoundError,
    NotFromApiError,
    RateLimitedError,
    api_error,
)
from components.cloud.limits import Limits, RateLimiter
from components.cloud.models import (
    FirewallRule,
    FirewallRuleset,
    Image,
    Instance,
    LaunchAnswer,
    LaunchRequest,
    Offer,
    Region,
    SshKey,
)

DEFAULT_URL = "https://cloud.lambda.ai"
# The edge answers the default agent of Python's urllib with 403, so a product name is always sent.
USER_AGENT = "pulumi-lambda-vllm/1.0"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
# A launch was seen to take 9 s until its answer; a launch cut short is the costliest thing to lose.
LAUNCH_TIMEOUT_S = 90.0
ATTEMPTS = 5
LONGEST_BACKOFF_S = 30.0
# After a 429 the edge bans for a while; its length is not published.
BACKOFF_AFTER_429_IN_REQUEST_INTERVALS = 10.0

Parsed = TypeVar("Parsed")

_LIMITER = RateLimiter(Limits.from_environment())


class LambdaClient:
    """One account of Lambda Cloud.

    `url` is the root without `/api/v1`. All clients of a process share one rate limiter unless given their own,
    because the limit is the account's.
    """

    def __init__(self, api_key: str, url: str = DEFAULT_URL, limiter: RateLimiter | None = None) -> None:
        if not api_key:
            raise NotConfiguredError(
                "no Lambda API key: set LAMBDA_API_KEY, or run `pulumi config set --secret lambdaApiKey KEY`"
            )
        self._url = url.rstrip("/") + "/api/v1"
        self._limiter = limiter or _LIMITER
        self._session = requests.Session()
        self._session.headers.update(
            {"Authorization": f"Bearer {api_key}", "Accept": "application/json", "User-Agent": USER_AGENT}
        )

    def pause(self) -> None:
        """Wait before the next look at something that changes by itself, with a share of chance in it."""
        self._limiter.pause(self._limiter.limits.poll_interval * random.uniform(0.9, 1.1))  # noqa: S311 - not a secret

    # Instances

    def instances(self) -> list[Instance]:
        """All instances of the account, those that ended a short while ago included."""
        return self._read("/instances", list[Instance], "list instances")

    def instance(self, instance_id: str) -> Instance:
        """One instance; `NotFoundError` when it is gone, or so new that it cannot be read yet."""
        return self._read(f"/instances/{instance_id}", Instance, f"read instance {instance_id}")

    def find_instance(self, instance_id: str) -> Instance | None:
        """One instance, None when neither a look at it nor the list knows it."""
        try:
            return self.instance(instance_id)
        except NotFoundError:
            return next((instance for instance in self.instances() if instance.id == instance_id), None)

    def launch(self, request: LaunchRequest, before_sending: Callable[[], None] = lambda: None) -> str:
        """Start one machine and give its id. Billing starts with its first passed health check.

        `before_sending` is called when all waiting is over, right before the request leaves; it may raise to stop it.
        A 429 is not asked again here, since time passes by that: the caller decides anew.
        """
        self._limiter.wait_for_launch()
        what = f"launch {request.instance_type_name} in {request.region_name}"
        body = request.model_dump(exclude_none=True)
        before_sending()
        path = "/instance-operations/launch"
        return self._ask("POST", path, LaunchAnswer, what, body, LAUNCH_TIMEOUT_S).instance_ids[0]

    def rename(self, instance_id: str, name: str) -> Instance:
        """Give an instance another name; names need not be unique."""
        return self._write(
            "POST", f"/instances/{instance_id}", Instance, f"rename instance {instance_id}", {"name": name}
        )

    def terminate(self, instance_id: str) -> None:
        """Ask for the end of a machine; it is over only when its status says `terminated` or it is gone."""
        body = {"instance_ids": [instance_id]}
        self._write("POST", "/instance-operations/terminate", dict[str, Any], f"terminate instance {instance_id}", body)

    # What there is to launch

    def offers(self) -> dict[str, Offer]:
        """Instance types by name, each with price and the regions that have capacity now."""
        return self._read("/instance-types", dict[str, Offer], "list instance types")

    def regions(self) -> list[Region]:
        """All regions."""
        return self._read("/regions", list[Region], "list regions")

    def images(self) -> list[Image]:
        """All images, one row for each region that has it."""
        return self._read("/images", list[Image], "list images")

    # SSH keys

    def ssh_keys(self) -> list[SshKey]:
        """All registered keys; there is no way to read a single one."""
        return self._read("/ssh-keys", list[SshKey], "list SSH keys")

    def add_ssh_key(self, name: str, public_key: str) -> SshKey:
        """Register a public key under a name that no other key has."""
        return self._write("POST", "/ssh-keys", SshKey, f"add SSH key {name}", {"name": name, "public_key": public_key})

    def delete_ssh_key(self, key_id: str) -> None:
        """Remove a key; `InUseError` while an instance was launched with it."""
        self._write("DELETE", f"/ssh-keys/{key_id}", dict[str, Any], f"delete SSH key {key_id}")

    # Firewall

    def rulesets(self) -> list[FirewallRuleset]:
        """All rulesets of all regions."""
        return self._read("/firewall-rulesets", list[FirewallRuleset], "list firewall rulesets")

    def ruleset(self, ruleset_id: str) -> FirewallRuleset:
        """One ruleset; `NotFoundError` when it is gone."""
        return self._read(f"/firewall-rulesets/{ruleset_id}", FirewallRuleset, f"read firewall ruleset {ruleset_id}")

    def add_ruleset(self, name: str, region: str, rules: list[FirewallRule]) -> FirewallRuleset:
        """Create a ruleset in one region."""
        body = {"name": name, "region": region, "rules": [_rule_body(rule) for rule in rules]}
        return self._write("POST", "/firewall-rulesets", FirewallRuleset, f"create firewall ruleset {name}", body)

    def change_ruleset(self, ruleset_id: str, name: str, rules: list[FirewallRule]) -> FirewallRuleset:
        """Rename a ruleset and replace its rules; machines that have it follow at once."""
        body = {"name": name, "rules": [_rule_body(rule) for rule in rules]}
        what = f"change firewall ruleset {name}"
        return self._write("PATCH", f"/firewall-rulesets/{ruleset_id}", FirewallRuleset, what, body)

    def delete_ruleset(self, ruleset_id: str) -> None:
        """Remove a ruleset; `InUseError` while an instance has it."""
        what = f"delete firewall ruleset {ruleset_id}"
        self._write("DELETE", f"/firewall-rulesets/{ruleset_id}", dict[str, Any], what)

    # How it is asked

    def _read(self, path: str, form: type[Parsed], what: str) -> Parsed:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask("GET", path, form, what, None, READ_TIMEOUT_S)
            except TRANSIENT as trouble:
                if attempt == ATTEMPTS:
                    raise
                self._back_off(attempt, trouble)
        raise AssertionError("unreachable")

    def _write(
        self,
        method: str,
        path: str,
        form: type[Parsed],
        what: str,
        body: dict[str, Any] | None = None,
    ) -> Parsed:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._ask(method, path, form, what, body, READ_TIMEOUT_S)
            except RateLimitedError as trouble:
                if attempt == ATTEMPTS:
                    raise
                self._back_off(attempt, trouble)
        raise AssertionError("unreachable")

    def _back_off(self, attempt: int, trouble: CloudError) -> None:
        unit = self._limiter.limits.request_interval
        if isinstance(trouble, RateLimitedError):
            unit *= BACKOFF_AFTER_429_IN_REQUEST_INTERVALS
        seconds = min(LONGEST_BACKOFF_S, unit * 2 ** (attempt - 1))
        # Jitter keeps several programs of one account from asking in step for ever.
        self._limiter.pause(seconds * random.uniform(1.0, 1.5))  # noqa: S311 - not a secret

    def _ask(
        self, method: str, path: str, form: type[Parsed], what: str, body: dict[str, Any] | None, timeout: float
    ) -> Parsed:
        self._limiter.wait_for_request()
        try:
            # A redirected write may arrive as a read, or send the user data to another host.
            response = self._session.request(
                method,
                self._url + path,
                json=body,
                timeout=(CONNECT_TIMEOUT_S, timeout),
                allow_redirects=method == "GET",
            )
        except (requests.ConnectTimeout, requests.exceptions.SSLError) as error:
            raise NotFromApiError(f"{what}: cannot reach {self._url} ({type(error).__name__}): check apiUrl") from None
        except requests.RequestException as error:
            raise NoAnswerError(f"{what}: no answer from {self._url} ({type(error).__name__})") from None
        return _parse(response, form, what)


def _parse(response: requests.Response, form: type[Parsed], what: str) -> Parsed:
    if response.status_code == requests.codes.too_many_requests:
        raise RateLimitedError(
            f"{what}: too many requests to Lambda (429), perhaps by other programs of the account: run it again later"
        )
    try:
        envelope = response.json()
    except ValueError:
        envelope = None
    if not isinstance(envelope, dict) or all(envelope.get(part) is None for part in ("data", "error")):
        message = f"{what}: HTTP {response.status_code} that Lambda's API did not write"
        # A write that was answered with 2xx or 5xx may have been carried out although the answer is of no use.
        kind = NotFromApiError if 300 <= response.status_code < 500 else NoAnswerError
        raise kind(message)
    if envelope.get("error") is not None:
        error = envelope["error"] if isinstance(envelope["error"], dict) else {}
        raise api_error(
            what,
            response.status_code,
            str(error.get("code", "unknown")),
            str(error.get("message", "")),
            error.get("suggestion"),
        )
    try:
        return TypeAdapter(form).validate_python(envelope["data"])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NoAnswerError(
            f"{what}: the answer is not as documented at {where or 'its root'}: {first['msg']}"
        ) from None


def _rule_body(rule: FirewallRule) -> dict[str, Any]:
    return rule.model_dump(exclude_none=True)
