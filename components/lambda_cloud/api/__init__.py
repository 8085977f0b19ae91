"""Lambda Cloud's API as typed Python, without Pulumi."""
