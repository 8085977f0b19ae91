"""The model to serve: what the hub says of it, its commit, and what it takes of a machine."""
