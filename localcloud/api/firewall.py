"""Firewall rulesets of a region, and the rules that hold in every region."""

import uuid
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Self

from aiohttp import web
from pydantic import BeforeValidator, Field, model_validator

from localcloud.account.records import GONE, FirewallRule, InstanceRecord, RulesetRecord
from localcloud.api.audit import note
from localcloud.api.catalogue import region_json
from localcloud.api.envelope import RequestBody, ok, path_id, read_body
from localcloud.api.errors import check_region, quota_exceeded, ruleset_in_use, ruleset_not_found
from localcloud.clock import utc
from localcloud.cloud import Cloud, cloud_of

GLOBAL_NAME = "Default Workspace Global Rules"


def _whole(given: object) -> object:
    """A whole number may be written with a point and a zero."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


def _text(given: object) -> object:
    if not isinstance(given, str):
        raise ValueError("Input should be a string")
    return given


Port = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=65535)]
RulesetName = Annotated[str, Field(max_length=64)]


class RequestedRule(RequestBody):
    """A rule as it may be asked for; a bare address means that address alone."""

    protocol: Literal["tcp", "udp", "icmp", "all"]
    port_range: Annotated[list[Port], Field(min_length=2, max_length=2)] | None = None
    source_network: Annotated[IPv4Network, BeforeValidator(_text)]
    description: str = Field(max_length=128)

    @model_validator(mode="after")
    def _ports_fit_protocol(self) -> Self:
        if self.protocol == "icmp":
            if self.port_range is not None:
                raise ValueError("port_range is not allowed for the icmp protocol")
        elif self.port_range is None:
            raise ValueError(f"port_range is required for the {self.protocol} protocol")
        elif self.port_range[0] > self.port_range[1]:
            raise ValueError("port_range should be [min, max]")
        return self


class NewRuleset(RequestBody):
    """A ruleset to make."""

    name: RulesetName
    region: str
    rules: list[RequestedRule]


class RulesetChange(RequestBody):
    """Rules given replace all rules; the region stays."""

    name: RulesetName | None = None
    rules: list[RequestedRule] | None = None


class GlobalChange(RequestBody):
    """The global ruleset keeps its name."""

    rules: list[RequestedRule] | None = None


class InboundRules(RequestBody):
    """Body of PUT /firewall-rules, which is wrapped like an answer."""

    data: list[RequestedRule]


async def list_firewall_rulesets(request: web.Request) -> web.Response:
    """All rulesets but the global one."""
    cloud = cloud_of(request)
    return ok([_ruleset_json(cloud, ruleset) for ruleset in cloud.store.rulesets.all()])


async def create_firewall_ruleset(request: web.Request) -> web.Response:
    """Names need not be unique."""
    asked = await read_body(request, NewRuleset)
    check_region(asked.region)
    cloud = cloud_of(request)
    if not cloud.allowance.has_firewall_ruleset():
        raise quota_exceeded()
    ruleset = RulesetRecord(
        id=uuid.uuid4().hex,
        name=asked.name,
        region=asked.region,
        rules=_kept(asked.rules),
        created=utc(cloud.clock).isoformat(),
    )
    with cloud.store.transaction():
        cloud.store.rulesets.put(ruleset)
        note(cloud, "firewall_ruleset", "created", [ruleset.id], region=ruleset.region)
    return ok(_ruleset_json(cloud, ruleset))


async def get_firewall_ruleset(request: web.Request) -> web.Response:
    """One ruleset."""
    cloud = cloud_of(request)
    return ok(_ruleset_json(cloud, _find(cloud, path_id(request))))


async def update_firewall_ruleset(request: web.Request) -> web.Response:
    """Rename a ruleset or replace its rules; instances that hold it follow."""
    ruleset_id = path_id(request)
    asked = await read_body(request, RulesetChange)
    cloud = cloud_of(request)
    ruleset = _find(cloud, ruleset_id)
    if asked.name is not None:
        ruleset = ruleset.model_copy(update={"name": asked.name})
    if asked.rules is not None:
        ruleset = ruleset.model_copy(update={"rules": _kept(asked.rules)})
    with cloud.store.transaction():
        cloud.store.rulesets.put(ruleset)
        note(cloud, "firewall_ruleset", "updated", [ruleset.id])
    await cloud.lifecycle.firewall_changed()
    return ok(_ruleset_json(cloud, ruleset))


async def delete_firewall_ruleset(request: web.Request) -> web.Response:
    """Remove a ruleset that no instance holds; one that is terminating still holds its rulesets."""
    cloud = cloud_of(request)
    ruleset = _find(cloud, path_id(request))
    if _holders(cloud, ruleset.id):
        raise ruleset_in_use()
    with cloud.store.transaction():
        cloud.store.rulesets.delete(ruleset.id)
        note(cloud, "firewall_ruleset", "deleted", [ruleset.id])
    return ok({})


async def get_global_firewall_ruleset(request: web.Request) -> web.Response:
    """The rules of every region, as a ruleset."""
    return ok(_global_json(cloud_of(request)))


async def update_global_firewall_ruleset(request: web.Request) -> web.Response:
    """Replace the rules of every region."""
    asked = await read_body(request, GlobalChange)
    cloud = cloud_of(request)
    if asked.rules is not None:
        await _set_global(cloud, asked.rules)
    return ok(_global_json(cloud))


async def list_firewall_rules(request: web.Request) -> web.Response:
    """The rules of every region, as the older list; that both are one thing is an assumption."""
    return ok(_rules_json(cloud_of(request).store.global_rules))


async def set_firewall_rules(request: web.Request) -> web.Response:
    """Replace the rules of every region."""
    asked = await read_body(request, InboundRules)
    cloud = cloud_of(request)
    await _set_global(cloud, asked.data)
    return ok(_rules_json(cloud.store.global_rules))


async def _set_global(cloud: Cloud, rules: list[RequestedRule]) -> None:
    with cloud.store.transaction():
        cloud.store.global_rules = _kept(rules)
        note(cloud, "firewall_ruleset", "updated", ["global"])
    await cloud.lifecycle.firewall_changed()


def _find(cloud: Cloud, ruleset_id: str) -> RulesetRecord:
    ruleset = cloud.store.rulesets.get(ruleset_id)
    if ruleset is None:
        raise ruleset_not_found()
    return ruleset


def _holders(cloud: Cloud, ruleset_id: str) -> list[InstanceRecord]:
    instances = cloud.store.instances.all()
    return [one for one in instances if ruleset_id in one.firewall_ruleset_ids and one.status not in GONE]


def _kept(rules: list[RequestedRule]) -> list[FirewallRule]:
    return [FirewallRule.model_validate(rule.model_dump(mode="json")) for rule in rules]


def _rules_json(rules: list[FirewallRule]) -> list[dict[str, Any]]:
    return [rule.model_dump(mode="json", exclude_none=True) for rule in rules]


def _ruleset_json(cloud: Cloud, ruleset: RulesetRecord) -> dict[str, Any]:
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "region": region_json(ruleset.region),
        "rules": _rules_json(ruleset.rules),
        "created": ruleset.created,
        "instance_ids": [one.id for one in _holders(cloud, ruleset.id) if not one.is_hidden(cloud.clock.now())],
    }


def _global_json(cloud: Cloud) -> dict[str, Any]:
    return {"id": "global", "name": GLOBAL_NAME, "rules": _rules_json(cloud.store.global_rules)}
