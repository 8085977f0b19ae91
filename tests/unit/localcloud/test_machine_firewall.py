"""Which rules the API hands to the machines, and when."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from localcloud.account.records import FirewallRule
from localcloud.machines.base import MachineSpec
from localcloud.machines.none import NoMachines
from tests.support.cloud_api.account import Account, open_account

WEB = {"protocol": "tcp", "port_range": [8000, 8000], "source_network": "203.0.113.0/24", "description": "web"}
OPEN = {"protocol": "all", "port_range": [1, 65535], "source_network": "0.0.0.0/0", "description": "all"}
NEW_ACCOUNT = [("tcp", "0.0.0.0/0"), ("icmp", "0.0.0.0/0")]


class FirewalledMachines(NoMachines):
    """Remembers what each instance lets in, as real machines would."""

    def __init__(self) -> None:
        self.lets_in: dict[str, list[tuple[str, str]]] = {}

    async def start(self, spec: MachineSpec) -> None:
        """A machine starts with its rules."""
        await self.firewall(spec.instance_id, spec.ip, spec.firewall)

    async def firewall(self, instance_id: str, ip: str, rules: Sequence[FirewallRule]) -> None:
        """Protocol and source of each rule."""
        self.lets_in[instance_id] = [(rule.protocol, rule.source_network) for rule in rules]


@pytest.fixture
def machines() -> FirewalledMachines:
    """The machines of the account."""
    return FirewalledMachines()


@pytest.fixture
def firewalled(tmp_path: Path, machines: FirewalledMachines) -> Iterator[Account]:
    """An account whose machines have a firewall."""
    with open_account(tmp_path, machines) as account:
        yield account


def _running(account: Account, **fields: object) -> str:
    """An instance whose machine has started."""
    instance_id = account.launched(**fields)
    account.until_status(instance_id, "active")
    return instance_id


def _ruleset(account: Account, region: str = "us-east-3") -> str:
    return str(account.post("/firewall-rulesets", {"name": "web", "region": region, "rules": [WEB]}).data["id"])


def test_an_instance_lets_in_what_the_global_rules_and_its_rulesets_say(
    firewalled: Account, machines: FirewalledMachines
) -> None:
    with_ruleset = _running(firewalled, firewall_rulesets=[{"id": _ruleset(firewalled)}])
    without = _running(firewalled)
    assert machines.lets_in == {with_ruleset: [*NEW_ACCOUNT, ("tcp", "203.0.113.0/24")], without: NEW_ACCOUNT}


def test_an_edited_ruleset_reaches_its_machines_before_the_answer(
    firewalled: Account, machines: FirewalledMachines
) -> None:
    ruleset = _ruleset(firewalled)
    instance_id = _running(firewalled, firewall_rulesets=[{"id": ruleset}])
    assert firewalled.call("PATCH", f"/api/v1/firewall-rulesets/{ruleset}", {"rules": [OPEN]}).status == 200
    assert machines.lets_in[instance_id] == [*NEW_ACCOUNT, ("all", "0.0.0.0/0")]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "/firewall-rulesets/global", {"rules": [WEB]}), ("PUT", "/firewall-rules", {"data": [WEB]})],
    ids=["global", "legacy"],
)
def test_global_rules_reach_every_machine_before_the_answer(
    firewalled: Account, machines: FirewalledMachines, method: str, path: str, body: object
) -> None:
    instances = [_running(firewalled), _running(firewalled)]
    assert firewalled.call(method, f"/api/v1{path}", body).status == 200
    assert [machines.lets_in[one] for one in instances] == [[("tcp", "203.0.113.0/24")]] * 2


def test_rules_do_not_hold_in_the_exempt_region(firewalled: Account, machines: FirewalledMachines) -> None:
    """Lambda's documentation: us-south-1."""
    ruleset = _ruleset(firewalled, "us-south-1")
    firewalled.control("PUT", "/capacity", {"instance_type": "gpu_8x_v100", "regions": ["us-south-1"]})
    instance_id = _running(
        firewalled, region_name="us-south-1", instance_type_name="gpu_8x_v100", firewall_rulesets=[{"id": ruleset}]
    )
    firewalled.call("PATCH", "/api/v1/firewall-rulesets/global", {"rules": []})
    assert machines.lets_in[instance_id] == NEW_ACCOUNT


def test_a_terminated_instance_gets_no_rules_any_more(firewalled: Account, machines: FirewalledMachines) -> None:
    instance_id = _running(firewalled)
    firewalled.control("PATCH", f"/instances/{instance_id}", {"status": "terminated"})
    del machines.lets_in[instance_id]
    firewalled.call("PATCH", "/api/v1/firewall-rulesets/global", {"rules": [OPEN]})
    assert machines.lets_in == {}
