"""Lambda Cloud: a typed API client that knows nothing of Pulumi, and the resources built on it."""
