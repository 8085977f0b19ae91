"""Nothing: what Pulumi itself costs."""

import pulumi  # noqa: F401
