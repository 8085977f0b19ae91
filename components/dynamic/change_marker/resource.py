"""What was asked for last, in the state before any of it is done.

An `up` may be killed between a change and the state that tells of it. The state then has what was before, and a user
who takes the change back is told that nothing has changed, while the cloud or the machine has the new. So what must
not be left like that, such as who is let in, follows this resource: it is changed first, and its `revision` makes the
next `up` write anew whatever it is given.
"""

import hashlib
import json
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.lazy_provider import LazyProvider

PROVIDER = LazyProvider("components.dynamic.change_marker.provider:ChangeMarkerProvider")


class ChangeMarker(Resource, module="lambdacloud", name="ChangeMarker"):
    """A request for something, made before that is done. The state has a SHA-256 of it, as a secret of a secret."""

    revision: pulumi.Output[str]
    """Another text, 16 hexadecimal digits, for each change of what is asked for, also for that back."""

    def __init__(self, name: str, what: pulumi.Input[Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(PROVIDER, name, {"what": pulumi.Output.from_input(what).apply(_hash), "revision": None}, opts)


def _hash(what: Any) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
