"""Pulumi's resource protocol without Pulumi's SDK, which this process has no use for.

The messages are generated modules within the SDK (`pulumi.runtime.proto`, 3.272). To import one loads the whole SDK
first, which takes as long as all the rest of this plugin, in every run of the engine.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType


def leave_out_the_sdk() -> None:
    """Put empty packages in the place of those that hold the messages, for all of this process."""
    spec = find_spec("pulumi")
    if "pulumi" in sys.modules or spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent
    for name, place in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package
