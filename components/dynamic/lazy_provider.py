"""A provider that is only named where it is not needed.

Pulumi runs the program and the plugin in processes of their own. The program declares resources and never calls their
providers, so it need not load them, and with them pydantic, which takes longer than all the rest of a run without
changes. It gives the name of the provider to Pulumi instead, which keeps it in the state; the plugin loads it.
"""

import pkgutil
from collections.abc import Callable

from pulumi.dynamic import ResourceProvider


class LazyProvider(ResourceProvider):
    """Stands for the provider at `place`, written `module:class`. Unpickled, as the plugin does, it is that provider.

    A class that moves leaves an alias behind: states name it.
    """

    serialize_as_secret_always = False

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], ResourceProvider], tuple[str]]:
        return load, (self.place,)


def load(place: str) -> ResourceProvider:
    """The provider at `place`."""
    provider: ResourceProvider = pkgutil.resolve_name(place)()
    return provider
