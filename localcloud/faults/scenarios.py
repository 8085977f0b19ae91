"""Named sets of faults, for demonstrations: what a bad day at Lambda looks like."""

from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.faults.fault import Fault
from localcloud.faults.operations import SSH

_LOOKS = ("list-instances", "list-ssh-keys", "list-firewall-rulesets", "instance-types", "list-images")
_WRITES = ("create-ssh-key", "create-firewall-ruleset", "delete-ssh-key", "delete-firewall-ruleset", "terminate")


@dataclass(frozen=True)
class Chance:
    """A fault that strikes a share of the calls of some operations."""

    operations: tuple[str, ...]
    kind: str
    probability: float
    seconds: float | None = None


@dataclass(frozen=True)
class Scenario:
    """What goes wrong in it. A careful client gets through all of them but `no-capacity`."""

    chances: tuple[Chance, ...]
    has_capacity: bool = True


SCENARIOS: Mapping[str, Scenario] = {
    "bad-tuesday": Scenario(
        (
            Chance(_LOOKS, "error-429", 0.05),
            Chance(_LOOKS, "error-503", 0.05),
            Chance(_LOOKS, "drop-before", 0.03),
            Chance(_LOOKS, "extra-fields", 0.1),
            Chance(_WRITES, "error-500-after", 0.08),
            Chance(_WRITES, "drop-after", 0.08),
            Chance(_WRITES, "error-429", 0.05),
            Chance(("launch",), "insufficient-capacity", 0.25),
            Chance(("launch",), "drop-after", 0.15),
            Chance(("launch",), "invisible", 0.15, seconds=2.0),
            Chance(("terminate",), "slow", 0.3, seconds=3.0),
            Chance(("ssh-connect",), "ssh-refuse", 0.05),
            Chance(("ssh-command",), "ssh-drop", 0.03, seconds=2.0),
            Chance(("hub",), "hub-429", 0.03),
            Chance(("hub-file",), "hub-truncated", 0.05),
        )
    ),
    "flaky-network": Scenario(
        (
            Chance((*_LOOKS, *_WRITES, "launch"), "drop-before", 0.08),
            Chance((*_LOOKS, *_WRITES, "launch"), "drop-after", 0.08),
            Chance((*_LOOKS, *_WRITES), "delay-after", 0.05, seconds=2.0),
            Chance(_LOOKS, "truncated", 0.05),
            Chance(("ssh-connect",), "ssh-refuse", 0.1),
            Chance(("ssh-command",), "ssh-drop", 0.05, seconds=1.0),
            Chance(("hub",), "hub-cut", 0.05),
            Chance(("hub-file",), "hub-truncated", 0.1),
        )
    ),
    "no-capacity": Scenario((), has_capacity=False),
}


def scenario_named(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        ValueError: one line: there is none, and which there are.
    """
    if name not in SCENARIOS:
        raise ValueError(f"there is no scenario '{name}'; there are: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def faults_of(scenario: Scenario, seed: int, has_ssh: bool) -> list[Fault]:
    """Its faults, each with a seed of its own that follows from `seed`; those of SSH only where there is SSH."""
    wanted = [(operation, chance) for chance in scenario.chances for operation in chance.operations]
    return [
        Fault(
            operation=operation,
            kind=chance.kind,
            probability=chance.probability,
            seconds=chance.seconds,
            seed=seed * 1000 + number,
        )
        for number, (operation, chance) in enumerate(wanted)
        if has_ssh or operation not in SSH
    ]
