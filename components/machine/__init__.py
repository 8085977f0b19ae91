"""A machine in the cloud, and the way to run commands on it."""
