"""The endpoint, looked at from this computer."""
