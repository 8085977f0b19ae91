"""Answer `python -m pip list -v --format json`, the one question that Pulumi's language host asks."""

import json
import sys
from importlib import metadata

if sys.argv[1:] != ["list", "-v", "--format", "json"]:
    sys.exit(f"error: {sys.argv[1:]} was asked of the tests' pip, which can list packages and nothing else")
print(
    json.dumps(
        [
            {"name": one.metadata["Name"], "version": one.version, "location": str(one.locate_file(""))}
            for one in metadata.distributions()
        ]
    )
)
