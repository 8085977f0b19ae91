"""The commit of the model that a stack serves: found once, and kept until the model or its revision is changed.

A branch moves. Without the pin the next `pulumi up`, meant to open the firewall for a colleague, would load another
model; and a hub that is down would stop it.
"""

from typing import TypedDict

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.model.pin.provider:ModelPinProvider")


class ModelPinArgs(TypedDict):
    """Arguments of `ModelPin`."""

    model: pulumi.Input[str]
    """As the user writes it."""
    revision: pulumi.Input[str]
    """Branch, tag or commit."""
    facts: pulumi.Input[str]
    """`ModelFacts.to_json` of what preflight found; empty when it found nothing."""
    problem: pulumi.Input[str]
    """Why it found nothing. Told when there is no commit yet that could be kept."""
    obstacles: pulumi.Input[list[str]]
    """What speaks against a launch now, a line each. Told when the stack is begun with this pin."""


class ModelPin(Resource, module="lambdavllm", name="ModelPin"):
    """A model at the commit that its revision meant when it was first asked for."""

    facts: pulumi.Output[str]
    """`ModelFacts.to_json`, the commit among them."""

    def __init__(self, name: str, args: ModelPinArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PROVIDER, name, {**args}, opts)
