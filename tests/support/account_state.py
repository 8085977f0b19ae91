"""The account against the state: what the one has, the other knows."""

from tests.support.local_cloud import LocalCloud
from tests.support.pulumi_project import Project

KINDS = {"instances": "Instance", "ssh-keys": "SshKey", "firewall-rulesets": "FirewallRuleset"}


def assert_state_knows_the_account(project: Project, cloud: LocalCloud, machines: int) -> None:
    """Exactly `machines` machines, and of every kind the same in the account and in the state."""
    for path, kind in KINDS.items():
        assert cloud.ids(path) == project.ids(kind), path
    assert len(cloud.ids("instances")) == machines


def assert_nothing_is_left(project: Project, cloud: LocalCloud) -> None:
    """Neither in the account nor in the state."""
    assert {path: cloud.ids(path) for path in KINDS} == {path: set() for path in KINDS}
    assert project.resources() == []
