"""The key of the endpoint."""
