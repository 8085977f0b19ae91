"""Public keys of the account."""
