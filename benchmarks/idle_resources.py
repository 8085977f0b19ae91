"""A Pulumi program: as many dynamic resources as `count` machines have, whose provider does nothing at all.

What it costs is Pulumi's own: no provider can be quicker.
"""

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

BESIDES = 5
"""Resources of the tests' fleet that are there once: its mark, key pair, SSH key, ruleset and wait."""
EACH = 2
"""A machine and its launch token."""


class IdleProvider(ResourceProvider):
    """Creates nothing and sees no change."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, object]) -> CreateResult:
        """An object by name."""
        return CreateResult("idle", props)

    def diff(self, _id: str, _olds: dict[str, object], _news: dict[str, object]) -> DiffResult:
        """Always the same."""
        return DiffResult(changes=False)


class Idle(Resource, module="benchmarks", name="Idle"):
    """Something that is there."""


for number in range(BESIDES + EACH * pulumi.Config().require_int("count")):
    Idle(IdleProvider(), f"idle-{number}", {"number": number})
